"""Training under JAX, in processes of their own (this one has TensorFlow), which find no TensorFlow."""

import subprocess
import sys
import time
from contextlib import chdir
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.io import read_json, read_npz
from pipeline.training.runtime import devices_for, precision_for
from stages import candidate, download, evaluate, preprocess, split
from tests.helpers.clone import ENVIRONMENT, Clone, clone_working_tree
from tests.helpers.documentation import run_page
from tests.helpers.run_stage import run_stage


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
    clone.replace("pipeline/training/callbacks.py", "SECONDS_BETWEEN_WRITES = 1.0", "SECONDS_BETWEEN_WRITES = 0.0")
    with chdir(clone.folder):
        run_stage(download.main)
        run_stage(preprocess.main)
        for name in ("standard", "article_d"):
            run_stage(split.main, name)
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


@pytest.mark.long
def test_a_kill_changes_no_bit_and_two_devices_no_loss(
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
    assert "Resuming after epoch" in python(small, environment, *command)
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
from pipeline.data.dataset import Split, load_dataset
from pipeline.io import InputError
from pipeline.training.runtime import ExecutionPlan
from pipeline.training.sampler import epoch_order
from tests.helpers.everything import AT_RANDOM
from tests.helpers.training import PLAIN, Small, build_seeded, config_of

splits = load_dataset(Path("data/prepared.npz"), Path("data/splits/article_d.npz")).splits
train = Split(splits["train"].images[:100], splits["train"].labels[:100])
small = Small(train, splits["validation"])

def fitted(steps_per_execution, rate=0.001, recipe=PLAIN):
    optimizer = config_of("mlp").optimizer.model_copy(update={"learning_rate": rate})
    config = config_of("mlp", epochs=1, batch_size=32, optimizer=optimizer)
    model = build_seeded(config)
    if steps_per_execution:
        plan = ExecutionPlan(shards=1, xla=True, steps_per_execution=steps_per_execution)
        result = small.fit(model, small.job("mlp", config, recipe, plan))
        return result.curves["loss"][0], result.curves["val_loss"][0]
    order = epoch_order(100, seed=0, epoch=0)
    model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    history = model.fit(train.images[order], train.labels[order], batch_size=32, shuffle=False, verbose=0)
    return history.history["loss"][0]

plain = fitted(0)
np.testing.assert_allclose([fitted(number)[0] for number in (1, 3)], plain, rtol=1e-5)
one, three = (fitted(number, recipe=AT_RANDOM) for number in (1, 3))
np.testing.assert_allclose(one, three, rtol=1e-5)
for steps_per_execution in (1, 3):
    try:
        fitted(steps_per_execution, rate=1e38)
    except InputError as error:
        print(error)
"""


@pytest.mark.long
def test_first_steps_equal_keras_and_divergence_names_batch(small: Clone, environment: dict[str, str]) -> None:
    one, three = python(small, environment, "-c", STEPS).splitlines()
    assert "loss became NaN or infinite in epoch 1, batch " in one
    assert one == three


def test_the_commands_of_the_page_on_gpus_work(small: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run_page(small, "docs/gpu.md")["two-devices"]
    assert '"backend": "jax"' in printed
    assert '"devices": 2' in printed

    monkeypatch.chdir(small.folder)
    run_stage(evaluate.main, "mlp")
    run_stage(candidate.main, "mlp")
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
