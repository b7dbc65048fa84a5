"""Offset and scale that bring pixels to a common range: normalized = (pixel - offset) / scale."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError


def statistics(images: npt.NDArray[np.uint8], method: Literal["minmax", "standard"]) -> tuple[np.float32, np.float32]:
    """Offset and scale over all pixels of the training images, uint8 of any shape.

    ``minmax`` maps the smallest pixel to 0 and the largest to 1; ``standard`` gives mean 0 and variance 1.

    Raises InputError when all pixels are equal, so that there is no scale.

    >>> statistics(np.array([[0, 0], [200, 0]], dtype=np.uint8), "standard")
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
