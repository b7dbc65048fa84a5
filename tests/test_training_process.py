"""Training in a process of its own: what it prints, and what of the user's settings it ignores."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.clone import ENVIRONMENT, ROOT

TRAINING = """
import sys
from pipeline.training.runtime import prepare_backend
prepare_backend()
import hashlib
from pathlib import Path
import numpy as np
from pipeline.config import ROOT
from pipeline.data.dataset import Dataset, Split
from pipeline.data.formats.idx import read_images, read_labels
from pipeline.training.job import make_job
from pipeline.training.train import train_and_save
from tests.helpers.training import CONFIG, MINMAX, config_of
raw = Path(sys.argv[1])
images = read_images(raw / "train-images-idx3-ubyte")[..., np.newaxis]
labels = read_labels(raw / "train-labels-idx1-ubyte")
splits = {name: Split(images[start::3], labels[start::3]) for start, name in enumerate(("train", "validation", "test"))}
config = config_of("airbench", epochs=2, seeds=[4])
train_and_save(make_job("airbench", config, CONFIG.recipes["fast"], Dataset(splits, MINMAX), (), ROOT))
"""
SETTINGS = """
from pipeline.training.runtime import prepare_backend
prepare_backend()
from keras import config
print(config.floatx(), config.dtype_policy().name, config.epsilon(), config.image_data_format())
"""


CONVOLUTION = """
from pipeline.training.runtime import prepare_backend
prepare_backend()
import keras
import tensorflow as tf
tf.function(keras.layers.Conv2D(8, 3))(keras.random.normal((16, 28, 28, 8)))
"""


def python(folder: Path, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_a_training_prints_plain_lines(raw_folder: Path, tmp_path: Path) -> None:
    ours = python(tmp_path, TRAINING, str(raw_folder))
    line = r"airbench, seed 4: epoch [12]/2, loss \d\.\d{4}, validation accuracy \d\.\d{4}"
    assert re.fullmatch(rf"({line}\n){{1,2}}", ours.stderr)
    summary = r"airbench: trained with 1 seed in \d+ s; best is seed 4, epoch [12] of 2, validation accuracy 0\.\d{4}"
    assert re.fullmatch(summary, ours.stdout.strip())
    run = json.loads((tmp_path / "data/runs/airbench.json").read_text())
    assert run["precision"] in {"float32", "mixed_bfloat16"}


def test_a_training_ignores_keras_json(tmp_path: Path) -> None:
    theirs = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "tensorflow"}
    (tmp_path / "keras.json").write_text(json.dumps(theirs))
    done = python(tmp_path, SETTINGS, KERAS_HOME=str(tmp_path))
    assert done.stdout.split() == ["float32", "float32", "1e-07", "channels_last"]


def test_convolutions_are_computed_by_onednn(tmp_path: Path) -> None:
    """Also on CPUs where TensorFlow would leave it out."""
    done = python(tmp_path, CONVOLUTION, TF_ENABLE_ONEDNN_OPTS="", ONEDNN_VERBOSE="1")
    assert re.search(r"^onednn_verbose,.*,convolution,", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "ending", ["raise ValueError('the reason')", "import os; os.write(2, b'the reason'); os.abort()"]
)
def test_the_reason_of_a_failing_import_is_seen(ending: str, tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text(ending)
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.training.runtime import prepare_backend as p; p()"],
        cwd=ROOT,
        env=ENVIRONMENT | {"PYTHONPATH": str(tmp_path), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the reason" in done.stderr


def test_a_live_report_resumes_after_a_kill_in_its_first_write(tmp_path: Path) -> None:
    from pipeline.training.callbacks import live_report

    begun = tmp_path / "plots" / "metrics" / "train" / "loss.tsv"
    begun.parent.mkdir(parents=True)
    begun.touch()
    with live_report(tmp_path, resume=True) as live:
        live.log_metric("train/loss", 0.5)
    assert begun.read_text().startswith("step\t")
