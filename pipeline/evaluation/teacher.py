"""What an ensemble teaches."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.evaluation.kinds import ENSEMBLE
from pipeline.evaluation.predictions import read_predictions


def read_teacher(path: Path, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The ensemble's answers for the training images with these `labels`, (n,): float32 (n, classes), in their order.

    Raises InputError naming the file if it is absent, damaged, or holds the answers for other images.
    """
    found = read_predictions(path, int(labels.max()) + 1, ENSEMBLE.maker)["train"]
    if not np.array_equal(found.labels, labels):
        raise InputError(f"{path}, train_labels: found others than those of the training part; `dvc repro` makes it")
    return found.seeds[0].probabilities
