"""A model file from elsewhere is data: whatever is in it, no code of it runs, and it reads and writes no other file."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from pipeline.io import InputError
from pipeline.training.saving import load_model

WEIGHTS = "model.weights.h5"
KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files inside a small model."""
    path = tmp_path_factory.mktemp("model") / "small.keras"
    dense = keras.layers.Dense(10, activation="softmax")
    keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), dense]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "crafted.keras"


def write(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refuse(path: Path, reason: str = "") -> None:
    there = sorted(path.parent.iterdir())
    with pytest.raises(InputError, match=rf"crafted\.keras: .*{reason}") as caught:
        load_model(path, "mlp", 10)
    assert "\n" not in str(caught.value)
    assert sorted(path.parent.iterdir()) == there


def test_an_unchanged_model_loads(path: Path, members: dict[str, bytes]) -> None:
    write(path, members)
    assert load_model(path, "mlp", 10).output_shape == (None, 10)


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


# A layer of config.json, each naming code that would leave the file `ran`, or read or fetch another file.
LAYERS = {
    "a lambda": ("keras.layers", "Lambda", {"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}),
    "os.system": ("os", "system", {"command": "touch ran"}),
    "a process": ("subprocess", "Popen", {"args": ["touch", "ran"]}),
    "eval": ("builtins", "eval", {"source": "open('ran', 'w')"}),
    "a module of ours": ("pipeline.io", "write_text", {"path": "ran", "text": ""}),
    "a module that acts when it is imported": ("antigravity", "fly", {}),
    "an activation that fetches": (
        "keras.layers",
        "Dense",
        {"units": 1, "activation": function("keras.utils", "get_file")},
    ),
    "safe mode turned off": (
        "keras.layers",
        "Dense",
        {"units": 1, "activation": function("keras.config", "enable_unsafe_deserialization")},
    ),
    "a file read as vocabulary": ("keras.layers", "StringLookup", {"vocabulary": "secret.txt"}),
    "TensorFlow's saved model": ("keras.layers", "TFSMLayer", {"filepath": "."}),
    "a pickle of PyTorch": ("keras.layers", "TorchModuleWrapper", {"module": "gASV"}),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("place", ["whole model", "layer"])
def test_code_that_a_configuration_names_is_not_run(
    path: Path, members: dict[str, bytes], layer: str, place: str
) -> None:
    (path.parent / "secret.txt").write_text("secret\n")
    module, name, settings = LAYERS[layer]
    crafted = {"module": module, "class_name": name, "config": settings, "registered_name": None}
    config = json.loads(members["config.json"])
    config["config"]["layers"].insert(1, crafted)
    write(path, members | {"config.json": json.dumps(crafted if place == "whole model" else config).encode()})
    refuse(path)


@pytest.mark.parametrize(
    "config",
    ["{", "[]", "null", "1", "[" * 100_000, '{"module": "keras", "class_name": "Sequential", "config": {}}'],
    ids=["cut", "list", "null", "number", "deep", "empty"],
)
def test_a_configuration_that_is_none_is_refused(path: Path, members: dict[str, bytes], config: str) -> None:
    write(path, members | {"config.json": config.encode()})
    refuse(path)


def test_a_layer_alone_is_refused(path: Path, members: dict[str, bytes]) -> None:
    config = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 10}, "registered_name": None}
    write(path, members | {"config.json": json.dumps(config).encode()})
    refuse(path, "a Dense")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "assets/../../escaped"])  # noqa: S108
def test_a_path_that_leads_outside_is_refused(path: Path, members: dict[str, bytes], name: str) -> None:
    write(path, members | {name: b"escaped"})
    refuse(path, f"an archive of .*{name}")


def test_compressed_weights_are_refused(path: Path, members: dict[str, bytes]) -> None:
    write(path, members | {WEIGHTS: bytes(2**28)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**19
    refuse(path, f"packed {WEIGHTS}")


def external_link(file: h5py.File) -> None:
    with h5py.File("secret.h5", "w") as secret:
        secret["kernel"] = np.ones((4, 10), np.float32)
    file[KERNEL] = h5py.ExternalLink("secret.h5", "kernel")


def external_storage(file: h5py.File) -> None:
    Path("secret.bin").write_bytes(bytes(4 * 10 * 4))
    file.create_dataset(KERNEL, (4, 10), np.float32, external=[("secret.bin", 0, 4 * 10 * 4)])


def soft_link(file: h5py.File) -> None:
    file[KERNEL] = h5py.SoftLink("/layers/dense/vars/1")


def huge(file: h5py.File) -> None:
    file.create_dataset(KERNEL, (10**7, 10**6), np.float32, chunks=(100, 100))


def other_shape(file: h5py.File) -> None:
    file[KERNEL] = np.ones((10, 4), np.float32)


def text(file: h5py.File) -> None:
    file[KERNEL] = "text"


def not_finite(file: h5py.File) -> None:
    file[KERNEL] = np.full((4, 10), np.nan, np.float32)


def absent(file: h5py.File) -> None:
    """Leave the weights away."""


@pytest.mark.parametrize(
    "craft", [external_link, external_storage, soft_link, huge, other_shape, text, not_finite, absent]
)
def test_weights_that_are_none_of_the_models_are_refused(
    path: Path, members: dict[str, bytes], craft: Callable[[h5py.File], None]
) -> None:
    content = io.BytesIO(members[WEIGHTS])
    with h5py.File(content, "r+") as file:
        del file[KERNEL]
        craft(file)
    write(path, members | {WEIGHTS: content.getvalue()})
    refuse(path)
