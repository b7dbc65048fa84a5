"""Training under JAX, in processes of their own (this one has TensorFlow), which find no TensorFlow."""

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts import read_json, read_npz
from pipeline.training.execution import devices_for, precision_for
from tests.clone import ENVIRONMENT, Clone, clone_working_tree
from tests.documentation import run_page


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("without")
    (folder / "tensorflow.py").write_text("raise ModuleNotFoundError(__name__)\n")
    return ENVIRONMENT | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def compiled_once(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes that keep what XLA compiles, and take it from each other."""
    folder = tmp_path_factory.mktemp("compiled")
    return environment | {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = clone_working_tree(tmp_path_factory.mktemp("jax"), ["mlp", "cnn1"])
    clone.change("models.cnn1.epochs", 4)
    clone.replace("pipeline/training/checkpoint.py", "SECONDS_BETWEEN_WRITES = 1.0", "SECONDS_BETWEEN_WRITES = 0.0")
    for stage in ("download", "preprocess", "split"):
        clone.run("python", "-m", f"stages.{stage}")
    return clone


def python(clone: Clone, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=clone.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def results(clone: Clone) -> tuple[bytes, pd.DataFrame, Any]:
    """What cnn1 predicts, its curves, and the record of its run."""
    data = clone.folder / "data"
    predictions = (data / "predictions/cnn1.npz").read_bytes()
    return predictions, pd.read_csv(data / "curves/cnn1.csv"), read_json(data / "runs/cnn1.json")


def test_the_same_seed_gives_the_same_bits_over_a_kill_and_two_devices_the_same_losses(
    small: Clone, environment: dict[str, str], compiled_once: dict[str, str]
) -> None:
    command = ["-m", "stages.train", "cnn1"]
    python(small, compiled_once, *command)
    undisturbed, curves, run = results(small)
    assert (run["backend"], run["devices"], run["precision"]) == ("jax", 1, "float32")

    checkpoint = small.folder / "data/checkpoints/cnn1-0.npz"
    with subprocess.Popen(
        [sys.executable, *command], cwd=small.folder, env=compiled_once, stderr=subprocess.DEVNULL
    ) as killed:
        while not checkpoint.exists():
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
    assert "goes on after epoch" in python(small, environment, *command)
    resumed, _, _ = results(small)
    assert resumed == undisturbed

    small.change("models.cnn1.epochs", 1)  # with more of them, rounding grows
    python(small, environment | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}, *command)
    _, divided, run = results(small)
    assert run["devices"] == 2
    np.testing.assert_allclose(divided[["loss", "val_loss"]], curves[["loss", "val_loss"]][:1], rtol=1e-5)


STEPS = """
from pathlib import Path
import keras, numpy as np
from pipeline.catalogue import build
from pipeline.dataset.parts import Part, read_parts
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.training.batches import epoch_order
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import make_repeatable
from pipeline.training.distillation import Distillation
from pipeline.training.execution import Execution
from pipeline.training.fit import fit, with_normalization
from tests.everything import AT_RANDOM, PLAIN

parts, normalization = read_parts(Path("data/prepared.npz"), Path("data/split.npz"))
train = Part(parts["train"].images[:100], parts["train"].labels[:100])

CERTAIN = Distillation(np.eye(10, dtype="float32")[train.labels], temperature=1.0, weight=1.0)
TEACHER = Distillation(np.eye(10, dtype="float32")[train.labels] * 0.5 + 0.05, temperature=4.0, weight=0.5)

def fitted(batches_per_call, rate=0.001, recipe=PLAIN, teacher=None):
    params = read_params().models["mlp"]
    optimizer = params.optimizer.model_copy(update={"learning_rate": rate})
    params = params.model_copy(update={"epochs": 1, "batch_size": 32, "optimizer": optimizer})
    make_repeatable(0)
    model = with_normalization(build("mlp", (28, 28, 1), 10, params.options), normalization)
    if batches_per_call:
        execution = Execution(shards=1, xla=True, batches_per_call=batches_per_call)
        checkpoint = Checkpoint(Path("none.npz"), "")
        result = fit("mlp", 0, model, params, recipe, train, parts["validation"], execution, checkpoint, teacher)
        Path("none.npz").unlink(missing_ok=True)
        return result.curves["loss"][0], result.curves["val_loss"][0]
    order = epoch_order(100, seed=0, epoch=0)
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    history = model.fit(train.images[order], train.labels[order], batch_size=32, shuffle=False, verbose=0)
    return history.history["loss"][0]

plain = fitted(0)
np.testing.assert_allclose([fitted(number)[0] for number in (1, 3)], plain, rtol=1e-5)
np.testing.assert_allclose([fitted(number, teacher=CERTAIN)[0] for number in (1, 3)], plain, rtol=1e-4)
for teacher in (None, TEACHER):
    one, three = (fitted(number, recipe=AT_RANDOM, teacher=teacher) for number in (1, 3))
    np.testing.assert_allclose(one, three, rtol=1e-5)
for batches_per_call in (1, 3):
    try:
        fitted(batches_per_call, rate=1e38)
    except InputError as error:
        print(error)
"""


def test_the_first_steps_are_those_of_plain_keras_and_a_divergence_names_its_batch(
    small: Clone, environment: dict[str, str]
) -> None:
    one, three = python(small, environment, "-c", STEPS).splitlines()
    assert "not finite in epoch 1, batch " in one
    assert one == three


def test_the_commands_of_the_page_on_gpus_work_and_what_they_train_is_evaluated(
    small: Clone, environment: dict[str, str]
) -> None:
    for backend, printed in zip(("jax", "tensorflow"), run_page(small, "docs/gpu.md"), strict=True):
        assert f'"backend": "{backend}"' in printed
        assert '"devices": 2' in printed

    for stage in ("evaluate", "candidate"):
        python(small, environment, "-m", f"stages.{stage}", "mlp")
    predictions = read_npz(small.folder / "data/predictions/mlp.npz")
    (predicted,) = predictions["test_probabilities"].argmax(axis=2)  # one seed
    accuracy = read_json(small.folder / "metrics/candidate.json")["test"]["accuracy"]
    assert accuracy == pytest.approx(np.mean(predicted == predictions["test_labels"]))


def test_bfloat16_is_for_devices_that_compute_in_it() -> None:
    assert precision_for("gpu", (8, 0)) == "mixed_bfloat16"  # TensorFlow and PyTorch
    assert precision_for("gpu", "9.0") == "mixed_bfloat16"  # JAX
    assert precision_for("gpu", "10.0") == "mixed_bfloat16"
    assert precision_for("tpu", None) == "mixed_bfloat16"
    for kind, capability in (("gpu", (7, 5)), ("gpu", "7.0"), ("gpu", "gfx942"), ("gpu", None), ("cpu", None)):
        assert precision_for(kind, capability) == "float32"


def test_as_many_devices_are_used_as_divide_every_batch() -> None:
    assert devices_for(1, [32, 48000]) == 1
    assert devices_for(2, [32, 48000, 1000]) == 2
    assert devices_for(3, [32, 48000, 1000]) == 2
    assert devices_for(8, [32, 48000, 1000]) == 8
    assert devices_for(4, [32, 479]) == 1
