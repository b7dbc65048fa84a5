"""Whether images are light on dark or dark on light."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.dataset.images import border

NEARLY_ALL = 0.95  # of the images; of Fashion-MNIST's 70,000, all have a dark border


def background(images: npt.NDArray[np.uint8]) -> Literal["dark", "light"] | None:
    """Whether the border of nearly all images (n, height, width, channels) is darker or lighter than middle grey.

    None says that it is neither, or that the images are in colour: inverted, these would be something else.
    """
    if images.shape[-1] > 1:
        return None
    light = np.mean([is_light(image) for image in images])
    return "light" if light >= NEARLY_ALL else "dark" if light <= 1 - NEARLY_ALL else None


def is_light(image: npt.NDArray[np.uint8]) -> bool:
    """Whether the border of an image (height, width, channels) is on average lighter than middle grey."""
    return bool(border(image).mean() > 127.5)
