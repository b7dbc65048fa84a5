"""Two parts of the images, as indices: one is held out of the other."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from pipeline.errors import InputError

Indices = npt.NDArray[np.int64]


def partition(
    labels: npt.NDArray[Any], share: float, seed: int, parameter: str = "split.validation"
) -> tuple[Indices, Indices]:
    """Divide images by their labels, each class in the same proportion; equal arguments give equal parts.

    Gives sorted int64 indices of the training part and of the part that is held out, a `share` of all.

    Raises InputError naming a class with so few images that it would be missing in one part, and the `parameter` that
    the share comes from.
    """
    fewest = np.ceil(1 / min(share, 1 - share))
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count < fewest:
            raise InputError(
                f"training labels: found {count} images of label {label}, "
                f"expected at least {fewest:.0f} for {parameter} {share}"
            )
    everything = np.arange(len(labels), dtype=np.int64)
    train, held_out = train_test_split(everything, test_size=share, random_state=seed, stratify=labels)
    return np.sort(train), np.sort(held_out)
