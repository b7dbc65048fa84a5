"""What the trained models of all seeds predicted for every image, read from the archive that training writes."""

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
    """The labels of one part, uint8 (n,), and what one trained model predicts for it, float32 (n, classes)."""

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, int64 (n,); of equals, the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class SeedPredictions:
    """The same of the models that all seeds trained: labels uint8 (n,), probabilities float32 (seeds, n, classes)."""

    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    @property
    def seeds(self) -> list[Predictions]:
        """The predictions of each seed, in the order of the parameters."""
        return [Predictions(self.labels, probabilities) for probabilities in self.probabilities]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, int64 (seeds, n); of equals, the first."""
        return np.asarray(self.probabilities.argmax(axis=2), dtype=np.int64)


def kept_seed(validation: SeedPredictions) -> int:
    """The place of the seed that training keeps: the most accurate on the validation part; of equals, the first."""
    return int((validation.predicted == validation.labels).mean(axis=1).argmax())


def read_predictions(path: Path, classes: int, maker: str = "train") -> dict[str, SeedPredictions]:
    """Read the predictions for the parts train, validation and test, which the stage `maker` writes.

    The archive holds `{part}_labels` uint8 (n,) and `{part}_probabilities` float32 (seeds, n, classes).

    Raises InputError naming the file and the array: one that is absent, has another shape or dtype, or holds labels
    that are no class or rows that are no probabilities.
    """
    arrays = read_npz(existing(path, f"{maker}@{path.stem}"))
    parts = {part: _part(arrays, path, part, classes) for part in PARTS}
    seeds = {part: len(found.probabilities) for part, found in parts.items()}
    if len(set(seeds.values())) > 1:
        found = ", ".join(f"{number} of {part}" for part, number in seeds.items())
        raise InputError(f"{path}: found seeds: {found}; expected as many of each part")
    return parts


def _part(arrays: dict[str, npt.NDArray[Any]], path: Path, part: str, classes: int) -> SeedPredictions:
    names = f"{part}_labels", f"{part}_probabilities"
    for name in names:
        if name not in arrays:
            raise InputError(f"{path}: found no array {name}, expected {', '.join(names)}")
    labels, probabilities = (arrays[name] for name in names)
    check_labels(labels, classes, f"{path}, {names[0]}")
    check_probabilities(probabilities, (len(labels), classes), f"{path}, {names[1]}")
    return SeedPredictions(labels, probabilities)


def check_labels(labels: npt.NDArray[Any], classes: int, place: str) -> None:
    """Raise InputError, beginning with `place`, unless these are uint8 (n,), at least one, each below `classes`."""
    if labels.dtype != np.uint8 or labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{place}: found {labels.dtype} {labels.shape}, expected uint8 (n,) of at least one image")
    if labels.max() >= classes:
        row = int(labels.argmax())
        raise InputError(f"{place}: found label {labels[row]} in row {row}, expected 0 to {classes - 1}")


def check_probabilities(probabilities: npt.NDArray[Any], shape: tuple[int, int], place: str) -> None:
    """Raise InputError, beginning with `place`, unless these are float32 (seeds, *shape) and each row a distribution.

    A distribution is finite, within 0 and 1, and sums to 1 but for float32's rounding.
    """
    if probabilities.dtype != np.float32 or probabilities.shape[1:] != shape or not len(probabilities):
        expected = f"float32 (seeds, {shape[0]}, {shape[1]})"
        raise InputError(f"{place}: found {probabilities.dtype} {probabilities.shape}, expected {expected}")
    outside = ~((probabilities >= 0) & (probabilities <= 1))  # true for NaN as well
    if outside.any():
        seed, row, column = np.argwhere(outside)[0]
        found = f"{probabilities[seed, row, column]} in row {row} for class {column} of seed {seed + 1} in their order"
        raise InputError(f"{place}: found {found}, expected a probability from 0 to 1")
    sums = probabilities.sum(axis=2, dtype=np.float64)
    wrong = np.argwhere(np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.size:
        seed, row = wrong[0]
        found = f"a sum of {sums[seed, row]:.6f} in row {row} of seed {seed + 1} in their order"
        raise InputError(f"{place}: found {found}, expected 1")
