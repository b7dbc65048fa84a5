"""Training under TensorFlow's ``MirroredStrategy``, in a process of its own with two devices made of the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clone import ENVIRONMENT, ROOT
from tests.conftest import MadeOnce


@pytest.fixture(scope="module")
def found(raw_folder: Path, made_once: MadeOnce) -> Any:
    def train(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.two_devices", str(raw_folder)],
            cwd=folder,  # DVCLive writes to the working folder
            env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (folder / "found.json").write_text(done.stdout.splitlines()[-1])

    return json.loads((made_once("devices", train) / "found.json").read_text())


@pytest.mark.parametrize("training", ["dense", "convolutional, with everything on", "full batch"])
def test_two_devices_give_the_losses_of_one(training: str, found: Any) -> None:
    one, two = found[training]
    assert len(one) == 4  # of training and validation, in two epochs
    np.testing.assert_allclose(two, one, rtol=1e-5)


def test_each_device_draws_dropout_masks_of_its_own(found: Any) -> None:
    # A weight moves by the mean over both images, which differ in their masks alone: by nothing, a half or a whole.
    weights = np.array(found["dropout"])
    of_the_longest = weights / weights.max()
    for share, expected in ((0, 1 / 4), (0.5, 1 / 2), (1, 1 / 4)):
        assert np.isclose(of_the_longest, share, atol=1e-4).mean() == pytest.approx(expected, abs=0.1)


def test_a_training_that_was_killed_goes_on_to_the_same_bits(found: Any) -> None:
    undisturbed, resumed = found["after a kill"]
    assert resumed == undisturbed


def test_a_divergence_names_the_same_batch(found: Any) -> None:
    one, two = found["divergence"]
    assert "not finite in epoch 1, batch 2 of seed 0" in one
    assert two == one


def test_devices_are_used_where_they_divide_every_batch(found: Any) -> None:
    assert found["devices"] == [2, 1, 1]


def test_what_is_kept_is_an_ordinary_model_that_predicts_what_was_evaluated(found: Any) -> None:
    stage = found["stage"]
    assert stage["devices"] == 2
    assert stage["same"]
    assert stage["accuracy"] == pytest.approx(stage["val_accuracy"], abs=0.01)  # on one device, on two: rounding
