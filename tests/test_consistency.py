import numpy as np
import numpy.typing as npt
import pytest

from pipeline.dataset.consistency import check_consistency
from pipeline.dataset.formats import Dataset
from pipeline.errors import InputError

CLASSES = ["cat", "dog"]


def images(*shape: int) -> npt.NDArray[np.uint8]:
    return np.zeros(shape, dtype=np.uint8)


def labels(*values: int) -> npt.NDArray[np.uint8]:
    return np.array(values, dtype=np.uint8)


GOOD = Dataset(images(3, 4, 5), labels(0, 1, 1), images(2, 4, 5), labels(1, 1))


def test_a_data_set_that_fits_passes() -> None:
    check_consistency(GOOD, CLASSES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": images(0, 4, 5)}, "training images: found none, expected at least 1"),
        ({"test_images": images(0, 4, 5)}, "test images: found none, expected at least 1"),
        ({"train_labels": labels(0, 1)}, "training labels: found 2, expected 3, one an image"),
        ({"test_labels": labels(0, 1, 1)}, "test labels: found 3, expected 2, one an image"),
        (
            {"train_labels": labels(0, 1, 2)},
            "training labels: found 2 at image 2 (counted from 0), expected 0 to 1, the 2 of data.classes",
        ),
        (
            {"test_labels": labels(9, 0)},
            "test labels: found 9 at image 0 (counted from 0), expected 0 to 1, the 2 of data.classes",
        ),
        (
            {"test_images": images(2, 5, 4)},
            "test images: found shape (5, 4), expected (4, 5) as of the training images",
        ),
        ({"train_labels": labels(1, 1, 1)}, "training labels: found no image of cat, expected each of data.classes"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, npt.NDArray[np.uint8]], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_consistency(GOOD._replace(**change), CLASSES)
    assert str(error.value) == message
