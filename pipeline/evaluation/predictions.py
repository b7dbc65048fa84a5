"""Load what the trained models of all seeds predict for every image, from the archive that training writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.data.dataset import SPLITS
from pipeline.io import InputError, read_npz, require_output

SUM_TOLERANCE = 1e-5  # float32 resolves 1.2e-7 near 1; a row adds up the rounding of all its classes


@dataclass(frozen=True)
class Predictions:
    """One trained model's predictions for a split: labels uint8 (n,), probabilities float32 (n, classes)."""

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, int64 (n,). Among equals it is the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class SeedPredictions:
    """The predictions of all seeds for a split: labels uint8 (n,), probabilities float32 (seeds, n, classes)."""

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @property
    def seeds(self) -> list[Predictions]:
        """The predictions of each seed, in the order of the parameters."""
        return [Predictions(self.labels, probabilities) for probabilities in self.probabilities]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, int64 (seeds, n). Among equals it is the first."""
        return np.asarray(self.probabilities.argmax(axis=2), dtype=np.int64)

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Correct predictions of each seed for each image, bool (seeds, n)."""
        return np.asarray(self.predicted == self.labels)

    @property
    def ensemble(self) -> Predictions:
        """The mean probabilities of the seeds.

        Averaging networks of different seeds is the deep ensemble of Lakshminarayanan, Pritzel and Blundell, 2017,
        "Simple and scalable predictive uncertainty estimation using deep ensembles".
        """
        mean = self.probabilities.mean(axis=0, dtype=np.float64).astype(np.float32)
        return Predictions(self.labels, mean)


def best_seed(validation: SeedPredictions) -> int:
    """Return the index of the seed with the best validation accuracy. Among equals it is the first."""
    return int(validation.correct.mean(axis=1).argmax())


def load_predictions(path: Path, classes: int, stage: str) -> dict[str, SeedPredictions]:
    """Load the predictions for the splits train, validation and test.

    The archive holds `{split}_labels` uint8 (n,) and `{split}_probabilities` float32 (seeds, n, classes).

    Args:
        path: The archive.
        classes: Number of classes.
        stage: What `dvc repro` takes to write the archive, named if it is absent.

    Returns:
        The predictions by split.

    Raises:
        InputError: Names the file and the array if one is absent, has another shape or dtype, or holds labels that are
            no class or rows that are no probabilities.
    """
    arrays = read_npz(require_output(path, stage))
    splits = {split: _split(arrays, path, split, classes) for split in SPLITS}
    seeds = {split: len(found.probabilities) for split, found in splits.items()}
    if len(set(seeds.values())) > 1:
        found = ", ".join(f"{number} in {split}" for split, number in seeds.items())
        raise InputError(f"{path}: found seeds: {found}; expected the same number in each split")
    return splits


def _split(arrays: dict[str, npt.NDArray[Any]], path: Path, split: str, classes: int) -> SeedPredictions:
    names = f"{split}_labels", f"{split}_probabilities"
    for name in names:
        if name not in arrays:
            raise InputError(f"{path}: array {name} not found, expected {', '.join(names)}")
    labels, probabilities = (arrays[name] for name in names)
    check_labels(labels, classes, f"{path}, {names[0]}")
    check_probabilities(probabilities, (len(labels), classes), f"{path}, {names[1]}")
    return SeedPredictions(labels, probabilities)


def check_labels(labels: npt.NDArray[Any], classes: int, place: str) -> None:
    """Check that labels are uint8 (n,), at least one, each below `classes`.

    Args:
        labels: What was read.
        classes: Number of classes.
        place: File and array, for the message.

    Raises:
        InputError: Begins with `place`.
    """
    if labels.dtype != np.uint8 or labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{place}: found {labels.dtype} {labels.shape}, expected uint8 (n,) with at least one image")
    if labels.max() >= classes:
        row = int(labels.argmax())
        raise InputError(f"{place}: found label {labels[row]} in row {row}, expected 0 to {classes - 1}")


def check_probabilities(probabilities: npt.NDArray[Any], shape: tuple[int, int], place: str) -> None:
    """Check that probabilities are float32 (seeds, n, classes) and that each row is a distribution.

    A distribution is finite, within 0 and 1, and sums to 1 within the rounding of float32.

    Args:
        probabilities: What was read.
        shape: Number of images and of classes.
        place: File and array, for the message.

    Raises:
        InputError: Begins with `place`.
    """
    if probabilities.dtype != np.float32 or probabilities.shape[1:] != shape or not len(probabilities):
        expected = f"float32 (seeds, {shape[0]}, {shape[1]})"
        raise InputError(f"{place}: found {probabilities.dtype} {probabilities.shape}, expected {expected}")
    outside = ~((probabilities >= 0) & (probabilities <= 1))  # true for NaN as well
    if outside.any():
        seed, row, column = np.argwhere(outside)[0]
        found = f"{probabilities[seed, row, column]} in row {row}, class {column}, seed index {seed}"
        raise InputError(f"{place}: found {found}, expected a probability from 0 to 1")
    sums = probabilities.sum(axis=2, dtype=np.float64)
    wrong = np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.size:
        seed, row = wrong[0]
        found = f"a sum of {sums[seed, row]:.6f} in row {row}, seed index {seed}"
        raise InputError(f"{place}: found {found}, expected 1")
