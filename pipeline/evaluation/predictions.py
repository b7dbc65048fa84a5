"""What a trained model predicted for every image, read from the archive that training writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artifacts import existing, read_npz
from pipeline.errors import InputError

PARTS = ("train", "validation", "test")
SUM_TOLERANCE = 1e-5  # float32 resolves 1.2e-7 near 1; a row adds up the rounding of all its classes


@dataclass(frozen=True)
class Predictions:
    """The labels of one part, uint8 (n,), and the probabilities predicted for it, float32 (n, classes)."""

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, int64 (n,); of equals, the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def read_predictions(path: Path, classes: int) -> dict[str, Predictions]:
    """Read the predictions for the parts train, validation and test.

    The archive holds `{part}_labels` uint8 (n,) and `{part}_probabilities` float32 (n, classes).

    Raises InputError naming the file and the array: one that is absent, has another shape or dtype, or holds labels
    that are no class or rows that are no probabilities.
    """
    arrays = read_npz(existing(path, f"train@{path.stem}"))
    return {part: _part(arrays, path, part, classes) for part in PARTS}


def _part(arrays: dict[str, npt.NDArray[Any]], path: Path, part: str, classes: int) -> Predictions:
    names = f"{part}_labels", f"{part}_probabilities"
    for name in names:
        if name not in arrays:
            raise InputError(f"{path}: found no array {name}, expected {', '.join(names)}")
    labels, probabilities = (arrays[name] for name in names)
    check_labels(labels, classes, f"{path}, {names[0]}")
    check_probabilities(probabilities, (len(labels), classes), f"{path}, {names[1]}")
    return Predictions(labels, probabilities)


def check_labels(labels: npt.NDArray[Any], classes: int, place: str) -> None:
    """Raise InputError, beginning with `place`, unless these are uint8 (n,), at least one, each below `classes`."""
    if labels.dtype != np.uint8 or labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{place}: found {labels.dtype} {labels.shape}, expected uint8 (n,) of at least one image")
    if labels.max() >= classes:
        row = int(labels.argmax())
        raise InputError(f"{place}: found label {labels[row]} in row {row}, expected 0 to {classes - 1}")


def check_probabilities(probabilities: npt.NDArray[Any], shape: tuple[int, int], place: str) -> None:
    """Raise InputError, beginning with `place`, unless these are float32 of that shape and each row a distribution.

    A distribution is finite, within 0 and 1, and sums to 1 but for float32's rounding.
    """
    if probabilities.dtype != np.float32 or probabilities.shape != shape:
        raise InputError(f"{place}: found {probabilities.dtype} {probabilities.shape}, expected float32 {shape}")
    outside = ~((probabilities >= 0) & (probabilities <= 1))  # true for NaN as well
    if outside.any():
        row, column = np.argwhere(outside)[0]
        found = probabilities[row, column]
        raise InputError(f"{place}: found {found} in row {row} for class {column}, expected a probability from 0 to 1")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.size:
        raise InputError(f"{place}: found a sum of {sums[wrong[0]]:.6f} in row {wrong[0]}, expected 1")
