"""Hold images out of others, and find the normalization of the training images."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.io import InputError, printable

Indices = npt.NDArray[np.int64]


def hold_out(
    labels: npt.NDArray[Any], size: float, seed: int, parameter: str, names: Sequence[str] | None = None
) -> tuple[Indices, Indices]:
    """Divide images by their labels, each class in the same proportion. Equal arguments give equal splits.

    A class too rare for its proportion has one image on the smaller side.

    Args:
        labels: The label of each image, (n,).
        size: Images to hold out, as scikit-learn's `test_size`: a fraction if it is a float, a number if an int.
        seed: Seed of the shuffle.
        parameter: The parameter that `size` comes from, for the error message.
        names: Class names in the order of the labels, if labels are numbers.

    Returns:
        Sorted int64 indices of the images that stay, and of those held out.

    Raises:
        InputError: A class has one image alone, or `size` is a number that leaves a side without a class.
    """
    from sklearn.model_selection import train_test_split  # takes two seconds, which data with a test part do without

    values, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() == 1:
        name = printable(str((names or values)[int(counts.argmin())]))
        raise InputError(f"{parameter}: found 1 image of class {name}, expected at least 2: one stays, one is held out")
    if isinstance(size, int) and not len(values) <= size <= len(labels) - len(values):
        found = f"{size}, which holds out {size:,} of {len(labels):,} images"
        expected = f"at least one image of each of {len(values)} classes on both sides"
        raise InputError(f"{parameter}: found {found}; expected {expected}")
    most = size > (len(labels) / 2 if isinstance(size, int) else 0.5)
    taken = counts - 1 if most else np.ones_like(counts)  # images held out of a class, if it is a rare one
    rare = np.zeros(len(values), dtype=bool)
    rest = size
    while (more := ~rare & _too_rare(counts, int(counts[~rare].sum()), rest)).any():
        rare |= more
        rest = size - int(taken[rare].sum()) if isinstance(size, int) else size
    generator = np.random.default_rng(seed)
    parts = [generator.permutation(np.flatnonzero(classes == each))[: taken[each]] for each in np.flatnonzero(rare)]
    if not rare.all():
        others = np.flatnonzero(~rare[classes])
        parts.append(train_test_split(others, test_size=rest, random_state=seed, stratify=labels[others])[1])
    held_out = np.sort(np.concatenate(parts))
    return np.setdiff1d(np.arange(len(labels), dtype=np.int64), held_out), held_out


def _too_rare(counts: npt.NDArray[np.int64], images: int, size: float) -> npt.NDArray[np.bool_]:
    """Return which classes may get no image on the smaller side, when `size` of so many images is held out."""
    held = size if isinstance(size, int) else int(np.ceil(size * images))
    return np.asarray(counts * min(held, images - held) < images)


def normalization_statistics(
    images: npt.NDArray[np.uint8], method: Literal["minmax", "standard"]
) -> tuple[np.float32, np.float32]:
    """Return the offset and scale of ``normalized = (pixel - offset) / scale``, over all pixels of uint8 images.

    ``minmax`` maps the smallest pixel to 0 and the largest to 1; ``standard`` gives mean 0 and variance 1.

    Raises InputError when all pixels are equal, so that there is no scale.

    >>> normalization_statistics(np.array([[0, 0], [200, 0]], dtype=np.uint8), "standard")
    (np.float32(50.0), np.float32(86.60254))
    """
    counts = sum(np.bincount(image.reshape(-1), minlength=256) for image in images)
    values = np.flatnonzero(counts)
    if len(values) == 1:
        raise InputError(f"training images: found the value {values[0]} in every pixel, expected a range")
    if method == "minmax":
        return np.float32(values[0]), np.float32(values[-1] - values[0])
    mean = np.average(np.arange(256), weights=counts)
    variance = np.average((np.arange(256) - mean) ** 2, weights=counts)
    return np.float32(mean), np.float32(np.sqrt(variance))
