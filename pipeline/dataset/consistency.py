"""Whether images, labels and class names belong together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.dataset.formats import Dataset
from pipeline.errors import InputError


def check_consistency(dataset: Dataset, classes: Sequence[str]) -> None:
    """Refuse a data set whose parts do not fit each other or the names in `classes`.

    Raises InputError unless each part has images, as many labels, and labels below ``len(classes)``, all images
    have one shape, and each class is among the training labels.
    """
    _check_part("training", dataset.train_images, dataset.train_labels, classes)
    _check_part("test", dataset.test_images, dataset.test_labels, classes)
    found, expected = dataset.test_images.shape[1:], dataset.train_images.shape[1:]
    if found != expected:
        raise InputError(f"test images: found shape {found}, expected {expected} as of the training images")
    absent = [name for label, name in enumerate(classes) if label not in dataset.train_labels]
    if absent:
        raise InputError(f"training labels: found no image of {', '.join(absent)}, expected each of data.classes")


def _check_part(
    part: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], classes: Sequence[str]
) -> None:
    if len(images) == 0:
        raise InputError(f"{part} images: found none, expected at least 1")
    if len(labels) != len(images):
        raise InputError(f"{part} labels: found {len(labels):,}, expected {len(images):,}, one an image")
    strange = np.flatnonzero(labels >= len(classes))
    if strange.size:
        position = strange[0]
        raise InputError(
            f"{part} labels: found {labels[position]} at image {position:,} (counted from 0), "
            f"expected 0 to {len(classes) - 1}, the {len(classes)} of data.classes"
        )
