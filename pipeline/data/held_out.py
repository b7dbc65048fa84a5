"""Hold test images out of data that have no test part of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config_data import HeldOut
from pipeline.data.messages import printable
from pipeline.data.split import Indices, stratified_split
from pipeline.io import InputError


def hold_out(
    labels: npt.NDArray[Any], test: HeldOut, parameter: str, names: Sequence[str] | None = None
) -> tuple[Indices, Indices]:
    """Hold out the same fraction of each class, but at least one image. At least one stays, too.

    Args:
        labels: The label of each image, (n,).
        test: The fraction to hold out and the seed.
        parameter: The parameters that hold `test`, for the error message.
        names: Class names in the order of the labels, if labels are numbers.

    Returns:
        Sorted int64 indices of the images that stay, and of those held out. Equal arguments give equal indices.

    Raises:
        InputError: A class has one image alone.
    """
    values, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() == 1:
        name = printable(str((names or values)[int(counts.argmin())]))
        raise InputError(f"{parameter}: found 1 image of class {name}, expected at least 2, to train and to test on")
    usual = np.ones(len(values), dtype=bool)  # classes of which both sides get an image by the fraction
    while (scarce := usual & _lack_images(counts, int(counts[usual].sum()), test.fraction)).any():
        usual &= ~scarce
    held_out = _one_of_each(classes, np.flatnonzero(~usual), test)
    rest = np.flatnonzero(usual[classes])
    if rest.size:
        _, chosen = stratified_split(labels[rest], test.fraction, test.seed, f"{parameter}.fraction")
        held_out = np.concatenate([held_out, rest[chosen]])
    return np.setdiff1d(np.arange(len(labels), dtype=np.int64), held_out), np.sort(held_out)


def _lack_images(counts: npt.NDArray[np.int64], images: int, fraction: float) -> npt.NDArray[np.bool_]:
    """Return which classes may get no image on the smaller side when the fraction of so many images is held out."""
    held = int(np.ceil(fraction * images))
    return np.asarray(counts * min(held, images - held) < images)


def _one_of_each(classes: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], test: HeldOut) -> Indices:
    """Return the indices of one image of each of the chosen classes, or of all but one if most are held out."""
    generator = np.random.default_rng(test.seed)
    shuffled = [generator.permutation(np.flatnonzero(classes == number)) for number in chosen]
    parts = [images[:1] if test.fraction <= 0.5 else images[1:] for images in shuffled]
    return np.concatenate([np.empty(0, np.int64), *parts])
