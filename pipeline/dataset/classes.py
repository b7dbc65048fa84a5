"""Class names, and the labels that stand for them: 0, 1, 2, … in the order of the names."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError

FEWEST, MOST = 2, 256  # classes; a label is one byte

Labels = npt.NDArray[np.uint8]
Place = Callable[[int], str]
"""Words for where the label of an image stands, given the image's number from 0."""


def check_number(classes: Sequence[str], place: str) -> None:
    """Raise InputError, beginning with `place`, unless there are 2 to 256 classes."""
    if not FEWEST <= len(classes) <= MOST:
        raise InputError(f"{place}: found {len(classes):,} classes, expected {FEWEST} to {MOST}")


def counted_from_zero(
    train: Labels, test: Labels, names: Sequence[str] | None, places: Sequence[Place]
) -> tuple[Labels, Labels, list[str]]:
    """Number the classes from 0 in the order of their labels, uint8 (n,) of training and of test; and name them.

    `names` are of consecutive labels, from the smallest on: those of MNIST begin with 0, those of EMNIST's letters
    with 1. Without names, the labels of the training images are the names, whatever they are.

    Raises InputError naming the place of a training label beyond the names, or of a test label that no training image
    has; a name without training image; too few classes.
    """
    values, first_images = np.unique(train, return_index=True)
    if names is None:
        names = [str(value) for value in values.tolist()]
    else:
        first = int(values[0])
        for value, image in zip(values.tolist(), first_images.tolist(), strict=True):
            if value - first >= len(names):
                expected = f"{first} to {first + len(names) - 1}, the {len(names)} of data.classes"
                raise InputError(f"{places[0](image)}: found label {value}, expected {expected}")
        absent = [name for label, name in enumerate(names, start=first) if label not in values]
        if absent:
            raise InputError(f"training labels: found no image of {', '.join(absent)}, expected each of data.classes")
    check_number(names, "training labels")
    strange = np.flatnonzero(~np.isin(test, values))
    if strange.size:
        image = int(strange[0])
        raise InputError(f"{places[1](image)}: found label {test[image]}, which no training image has")
    train, test = (np.searchsorted(values, labels).astype(np.uint8) for labels in (train, test))
    return train, test, list(names)
