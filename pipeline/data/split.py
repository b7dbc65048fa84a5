"""Hold images out of others, and find the normalization of the training images."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from pipeline.io import InputError

Indices = npt.NDArray[np.int64]


def stratified_split(
    labels: npt.NDArray[Any], size: float, seed: int, parameter: str, names: Sequence[str] | None = None
) -> tuple[Indices, Indices]:
    """Divide images by their labels, each class in the same proportion. Equal arguments give equal splits.

    Args:
        labels: The label of each image, (n,).
        size: Images to hold out, as scikit-learn's `test_size`: a fraction if it is a float, a number if an int.
        seed: Seed of the shuffle.
        parameter: The parameter that `size` comes from, for the error message.
        names: Class names in the order of the labels, if labels are numbers.

    Returns:
        Sorted int64 indices of the images that stay, and of those held out.

    Raises:
        InputError: `size` leaves too few images on one side, or a class would be missing on one side.
    """
    values, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    held = size if isinstance(size, int) else int(np.ceil(size * len(labels)))
    if not len(values) <= held <= len(labels) - len(values):
        found = f"{size}, which holds out {held:,} of {len(labels):,} images"
        expected = f"at least one image of each of {len(values)} classes on both sides"
        raise InputError(f"{parameter}: found {found}; expected {expected}")
    needed = int(np.ceil(len(labels) / min(held, len(labels) - held)))  # with so many, each side is sure to get one
    everything = np.arange(len(labels), dtype=np.int64)
    if counts.min() > 1:
        kept, held_out = train_test_split(everything, test_size=size, random_state=seed, stratify=labels)
        sides = [np.bincount(classes[side], minlength=len(values)) for side in (kept, held_out)]
        smallest = np.minimum(*sides)
    else:
        kept = held_out = everything
        smallest = counts - 1
    if smallest.min() == 0:
        rare = int(np.argmin(smallest))
        name = names[rare] if names else values[rare]
        raise InputError(
            f"{parameter}: found {counts[rare]} images of class {name}, too few to hold out {size} of all; "
            f"expected at least {needed}"
        )
    return np.sort(kept), np.sort(held_out)


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
