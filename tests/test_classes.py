"""Labels, whatever they are, become 0, 1, 2, … in the order of the class names."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.classes import counted_from_zero
from pipeline.errors import InputError


def labels(*values: int) -> npt.NDArray[np.uint8]:
    return np.array(values, np.uint8)


def place(part: str, image: int) -> str:
    return f"{part}.csv: line {image + 1}"


PLACES = [partial(place, part) for part in ("train", "test")]


@pytest.mark.parametrize(
    ("train", "test", "names", "expected"),
    [
        ((1, 0, 2), (2, 2), ["a", "b", "c"], ([1, 0, 2], [2, 2], ["a", "b", "c"])),
        ((1, 3, 2), (3, 1), ["a", "b", "c"], ([0, 2, 1], [2, 0], ["a", "b", "c"])),  # as EMNIST's letters
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
    found = counted_from_zero(labels(*train), labels(*test), names, PLACES)
    assert (found[0].tolist(), found[1].tolist(), found[2]) == expected
    assert found[0].dtype == found[1].dtype == np.uint8


@pytest.mark.parametrize(
    ("train", "test", "names", "message"),
    [
        ((0, 1, 2, 2), (0,), ["a", "b"], "train.csv: line 3: found label 2, expected 0 to 1, the 2 of data.classes"),
        ((1, 2, 9), (1,), ["a", "b", "c"], "train.csv: line 3: found label 9, expected 1 to 3, the 3 of data.classes"),
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
        counted_from_zero(labels(*train), labels(*test), names, PLACES)
    assert str(error.value) == message


@given(st.lists(st.integers(0, 255), min_size=2), st.lists(st.integers(0, 255)))
def test_without_names_each_image_keeps_its_label_as_the_name_of_its_class(train: list[int], test: list[int]) -> None:
    try:
        *numbered, names = counted_from_zero(labels(*train), labels(*test), None, PLACES)
    except InputError:
        assert len(set(train)) == 1 or set(test) - set(train)
        return
    for before, after in zip((train, test), numbered, strict=True):
        assert [names[label] for label in after] == list(map(str, before))
