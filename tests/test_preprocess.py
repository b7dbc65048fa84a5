"""Labels are encoded, arrays checked and backgrounds found, whatever form the data had."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.preprocess import RawDataset, background, blank, check_consistency, encode_labels
from pipeline.io import InputError

Pixels = npt.NDArray[np.uint8]


def labels(*values: int) -> Pixels:
    return np.array(values, np.uint8)


def place(split: str, image: int) -> str:
    return f"{split}.csv: line {image + 1}"


PLACES = [partial(place, split) for split in ("train", "test")]


@pytest.mark.parametrize(
    ("train", "test", "names", "expected"),
    [
        ((1, 0, 2), (2, 2), ["a", "b", "c"], ([1, 0, 2], [2, 2], ["a", "b", "c"])),
        ((1, 3, 2), (3, 1), ["a", "b", "c"], ([0, 2, 1], [2, 0], ["a", "b", "c"])),  # as EMNIST's letters
        ((8, 10, 7), (10,), ["h", "i", "k"], ([1, 2, 0], [2], ["h", "i", "k"])),  # as sign language, which has no J
        ((7, 40, 7), (40,), None, ([0, 1, 0], [1], ["7", "40"])),
        ((255, 0), (0,), None, ([1, 0], [0], ["0", "255"])),
    ],
)
def test_classes_are_numbered_in_the_order_of_their_labels(
    train: tuple[int, ...],
    test: tuple[int, ...],
    names: list[str] | None,
    expected: tuple[list[int], list[int], list[str]],
) -> None:
    found = encode_labels(labels(*train), labels(*test), names, PLACES)
    assert (found[0].tolist(), found[1].tolist(), found[2]) == expected
    assert found[0].dtype == found[1].dtype == np.uint8


@pytest.mark.parametrize(
    ("train", "test", "names", "message"),
    [
        ((0, 1, 2, 2), (0,), ["a", "b"], "train.csv: line 3: found label 2, expected 0 to 1, the 2 of data.classes"),
        ((1, 2, 9), (1,), ["a", "b"], "train.csv: line 3: found label 9, expected 1 to 2, the 2 of data.classes"),
        ((0, 2), (0,), ["a", "b", "c"], "training labels: found no image of b, expected each of data.classes"),
        ((1, 2), (0,), ["a", "b", "c"], "training labels: found no image of c, expected each of data.classes"),
        ((0, 1), (0, 5, 1), ["a", "b"], "test.csv: line 2: found label 5, which no training image has"),
        ((0, 9), (0, 5), None, "test.csv: line 2: found label 5, which no training image has"),
        ((4, 4), (4,), None, "training labels: found 1 classes, expected 2 to 256"),
    ],
)
def test_labels_that_fit_no_names_are_refused_with_their_place(
    train: tuple[int, ...], test: tuple[int, ...], names: list[str] | None, message: str
) -> None:
    with pytest.raises(InputError) as error:
        encode_labels(labels(*train), labels(*test), names, PLACES)
    assert str(error.value) == message


@given(st.lists(st.integers(0, 255), min_size=2), st.lists(st.integers(0, 255)))
def test_without_names_each_label_is_the_name_of_its_class(train: list[int], test: list[int]) -> None:
    try:
        *encoded, names = encode_labels(labels(*train), labels(*test), None, PLACES)
    except InputError:
        assert len(set(train)) == 1 or set(test) - set(train)
        return
    for before, after in zip((train, test), encoded, strict=True):
        assert [names[label] for label in after] == list(map(str, before))


def pictures(count: int, height: int = 4, width: int = 5) -> Pixels:
    return np.arange(count * height * width, dtype=np.uint8).reshape(count, height, width, 1)


CLASSES = ["cat", "dog"]
GOOD = RawDataset(pictures(3), labels(0, 1, 1), pictures(2), labels(1, 0))


def test_a_data_set_that_fits_passes() -> None:
    check_consistency(GOOD, CLASSES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": pictures(0)}, "training images: found none, expected at least 1"),
        ({"test_images": pictures(0)}, "test images: found none, expected at least 1"),
        ({"train_labels": labels(0, 1)}, "training labels: found 2, expected 3, one an image"),
        ({"test_labels": labels(0, 1, 1)}, "test labels: found 3, expected 2, one an image"),
        (
            {"test_images": pictures(2, 5, 4)},
            "test images: found shape (5, 4, 1), expected (4, 5, 1) as of the training images",
        ),
        (
            {"train_images": pictures(3) * labels(0, 1, 1).reshape(3, 1, 1, 1)},
            "training images: found nothing but blank images, of one value in all pixels, of cat; "
            "expected a picture of each class",
        ),
        (
            {"test_labels": labels(1, 1)},
            "test labels: found dog alone, expected at least 2 classes, so that a test can tell them",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Pixels], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_consistency(GOOD._replace(**change), CLASSES)
    assert str(error.value) == message


def test_images_of_one_value_are_blank() -> None:
    stored = np.zeros((3, 2, 2, 3), np.uint8)
    stored[0, 0, 0, 0] = 1
    stored[1] = 200
    assert blank(stored).tolist() == [False, True, True]


def with_border(value: int, count: int, channels: int = 1) -> Pixels:
    stored = np.full((count, 4, 4, channels), 255 - value, np.uint8)
    stored[:, [0, -1]] = stored[:, :, [0, -1]] = value
    return stored


def test_real_images_are_light_on_dark(images: Pixels) -> None:
    assert background(images[..., np.newaxis]) == "dark"
    assert background(255 - images[..., np.newaxis]) == "light"


def test_a_background_is_what_nearly_all_borders_are() -> None:
    assert background(with_border(10, 3)) == "dark"
    assert background(np.concatenate([with_border(10, 96), with_border(250, 4)])) == "dark"
    assert background(np.concatenate([with_border(10, 90), with_border(250, 10)])) is None


def test_images_in_colour_have_no_background() -> None:
    assert background(with_border(10, 3, channels=3)) is None
