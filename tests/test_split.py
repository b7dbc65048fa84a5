"""Images held out of others, and the normalization of those that stay."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from pipeline.data.dataset import check_disjoint
from pipeline.data.split import Indices, hold_out, normalization_statistics
from pipeline.io import InputError

PARAMETER = "splits.standard.validation_size"


def split(labels: npt.NDArray[np.uint8], size: float = 0.2, seed: int = 0) -> tuple[Indices, Indices]:
    return hold_out(labels, size, seed, PARAMETER)


@pytest.mark.parametrize(("size", "held_out"), [(0.2, 12), (120, 12), (0.5, 30), (10, 1)])
def test_a_fraction_or_number_of_images_is_held_out(labels: npt.NDArray[np.uint8], size: float, held_out: int) -> None:
    train, validation = split(labels, size)
    assert np.bincount(labels[validation]).tolist() == [held_out] * 10
    assert np.bincount(labels[train]).tolist() == [60 - held_out] * 10


def test_the_split_is_the_one_of_scikit_learn(labels: npt.NDArray[np.uint8]) -> None:
    expected = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=3, stratify=labels)
    for found, images in zip(split(labels, 0.2, 3), expected, strict=True):
        assert found.tolist() == sorted(images)


def test_indices_are_sorted_int64(labels: npt.NDArray[np.uint8]) -> None:
    for indices in split(labels):
        assert indices.dtype == np.int64
        assert np.all(np.diff(indices) > 0)


def test_the_seed_alone_decides_which_images_are_held_out(labels: npt.NDArray[np.uint8]) -> None:
    first, again, other = (split(labels, seed=seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(
    counts=st.lists(st.integers(1, 300), min_size=2, max_size=6),
    size=st.floats(0.001, 0.999) | st.integers(1, 1000),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_class_is_on_both_sides_or_the_labels_are_refused(counts: list[int], size: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    count = isinstance(size, int)
    if min(counts) == 1 or (count and not len(counts) <= size <= len(labels) - len(counts)):
        with pytest.raises(InputError):
            split(labels, size, seed)
        return
    kept, held_out = split(labels, size, seed)
    check_disjoint(kept, held_out, len(labels))
    held = np.bincount(labels[held_out])
    assert (held >= 1).all()
    assert (held < counts).all()
    if count:
        assert len(held_out) == size
    else:
        assert (np.abs(held - np.array(counts) * size) < 2).all()
    assert np.array_equal(held_out, split(labels, size, seed)[1])


def test_a_class_needs_no_more_images_than_one_for_each_side() -> None:
    labels = np.array([0] * 94 + [1] * 2 + [2] * 4, dtype=np.uint8)
    for size, held in ((10, [8, 1, 1]), (90, [86, 1, 3]), (0.03, [3, 1, 1]), (0.97, [92, 1, 3])):
        assert np.bincount(labels[split(labels, size)[1]]).tolist() == held


def test_classes_may_be_texts() -> None:
    labels = np.repeat(["cat", "dog", "fox"], [50, 30, 20])
    numbers = np.repeat(np.arange(3, dtype=np.uint8), [50, 30, 20])
    for found, expected in zip(hold_out(labels, 0.2, 3, PARAMETER), split(numbers, 0.2, 3), strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("counts", "size", "names", "message"),
    [
        ([50, 1], 0.2, None, "found 1 image of class 1, expected at least 2: one stays, one is held out"),
        ([50, 1], 10, ["cat", "dog"], "found 1 image of class dog, expected at least 2: one stays, one is held out"),
        ([50, 50], 1, None, "found 1, which holds out 1 of 100 images; expected at least one image of each of 2"),
        ([50, 50], 99, None, "found 99, which holds out 99 of 100 images; expected at least one image of each of 2"),
        ([50, 50], 200, None, "found 200, which holds out 200 of 100 images; expected at least one image of each of 2"),
    ],
)
def test_too_few_images_are_refused_with_class_and_counts(
    counts: list[int], size: float, names: list[str] | None, message: str
) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    with pytest.raises(InputError, match=f"^{PARAMETER}: {message}"):
        hold_out(labels, size, 0, PARAMETER, names)


@pytest.mark.parametrize(
    ("train", "validation"),
    [([0, 1, 2], [2, 3]), ([0, 1], [3]), ([0, 1, 2], [3, 4]), ([0, 0, 1, 2], [3])],
    ids=["in both", "in none", "unknown", "twice"],
)
def test_splits_that_overlap_or_miss_an_image_are_refused(train: list[int], validation: list[int]) -> None:
    with pytest.raises(InputError, match="expected each of 4 in one"):
        check_disjoint(np.array(train), np.array(validation), images=4)


def test_disjoint_splits_that_cover_everything_pass() -> None:
    check_disjoint(np.array([0, 2]), np.array([1, 3]), images=4)


def test_minmax_maps_the_smallest_pixel_to_0_and_largest_to_1() -> None:
    images = np.array([[[20, 30]], [[120, 70]]], dtype=np.uint8)
    assert normalization_statistics(images, "minmax") == (np.float32(20), np.float32(100))


def test_standard_gives_real_images_mean_0_and_variance_1(images: npt.NDArray[np.uint8]) -> None:
    offset, scale = normalization_statistics(images, "standard")
    normalized = (images.astype(np.float64) - offset) / scale
    assert normalized.mean() == pytest.approx(0, abs=1e-6)
    assert normalized.var() == pytest.approx(1, abs=1e-6)


def test_standard_agrees_with_numpy_in_float64(images: npt.NDArray[np.uint8]) -> None:
    pixels = images.astype(np.float64)
    assert normalization_statistics(images, "standard") == (np.float32(pixels.mean()), np.float32(pixels.std()))


@pytest.mark.parametrize("method", ["minmax", "standard"])
def test_offset_and_scale_are_single_precision(
    images: npt.NDArray[np.uint8], method: Literal["minmax", "standard"]
) -> None:
    assert [type(value) for value in normalization_statistics(images, method)] == [np.float32, np.float32]


@pytest.mark.parametrize("method", ["minmax", "standard"])
def test_images_of_one_constant_value_are_refused(method: Literal["minmax", "standard"]) -> None:
    with pytest.raises(InputError, match="found the value 7 in every pixel, expected a range"):
        normalization_statistics(np.full((3, 2, 2), 7, dtype=np.uint8), method)
