"""Whether images and labels belong together."""

import numpy as np
import numpy.typing as npt

from pipeline.dataset.formats import Dataset
from pipeline.errors import InputError


def check_consistency(dataset: Dataset) -> None:
    """Refuse a data set whose parts do not fit each other.

    Raises InputError unless each part has images and as many labels, and all images have one shape.
    """
    _check_part("training", dataset.train_images, dataset.train_labels)
    _check_part("test", dataset.test_images, dataset.test_labels)
    found, expected = dataset.test_images.shape[1:], dataset.train_images.shape[1:]
    if found != expected:
        raise InputError(f"test images: found shape {found}, expected {expected} as of the training images")


def _check_part(part: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
    if len(images) == 0:
        raise InputError(f"{part} images: found none, expected at least 1")
    if len(labels) != len(images):
        raise InputError(f"{part} labels: found {len(labels):,}, expected {len(images):,}, one an image")
