import numpy as np
import numpy.typing as npt
import pytest

from pipeline.dataset.consistency import check_consistency
from pipeline.dataset.formats import Dataset
from pipeline.errors import InputError


def images(*shape: int) -> npt.NDArray[np.uint8]:
    return np.zeros(shape, dtype=np.uint8)


def labels(*values: int) -> npt.NDArray[np.uint8]:
    return np.array(values, dtype=np.uint8)


GOOD = Dataset(images(3, 4, 5, 1), labels(0, 1, 1), images(2, 4, 5, 1), labels(1, 1))


def test_a_data_set_that_fits_passes() -> None:
    check_consistency(GOOD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": images(0, 4, 5, 1)}, "training images: found none, expected at least 1"),
        ({"test_images": images(0, 4, 5, 1)}, "test images: found none, expected at least 1"),
        ({"train_labels": labels(0, 1)}, "training labels: found 2, expected 3, one an image"),
        ({"test_labels": labels(0, 1, 1)}, "test labels: found 3, expected 2, one an image"),
        (
            {"test_images": images(2, 5, 4, 1)},
            "test images: found shape (5, 4, 1), expected (4, 5, 1) as of the training images",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, npt.NDArray[np.uint8]], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_consistency(GOOD._replace(**change))
    assert str(error.value) == message
