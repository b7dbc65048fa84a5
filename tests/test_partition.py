import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.dataset.partition import partition
from pipeline.dataset.prepared import check_partition
from pipeline.errors import InputError


def test_real_images_are_divided_alike_in_each_class(labels: npt.NDArray[np.uint8]) -> None:
    train, validation = partition(labels, share=0.2, seed=0)
    assert np.bincount(labels[train]).tolist() == [48] * 10
    assert np.bincount(labels[validation]).tolist() == [12] * 10


def test_indices_are_sorted_int64(labels: npt.NDArray[np.uint8]) -> None:
    for part in partition(labels, share=0.2, seed=0):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)


def test_the_seed_alone_decides_which_images_are_held_out(labels: npt.NDArray[np.uint8]) -> None:
    first, again, other = (partition(labels, share=0.2, seed=seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_class_is_in_both_parts_in_proportion_or_the_labels_are_refused(
    counts: list[int], share: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    try:
        train, held_out = partition(labels, share, seed)
    except InputError:
        assume(min(counts) * min(share, 1 - share) < 1.01)
        return
    check_partition(train, held_out, len(labels))
    for label, count in enumerate(counts):
        held = np.count_nonzero(labels[held_out] == label)
        assert 1 <= held <= count - 1
        assert abs(held - count * share) <= 2


def test_a_class_with_too_few_images_is_refused() -> None:
    labels = np.array([0] * 50 + [3] * 4, dtype=np.uint8)
    message = "found 4 images of label 3, expected at least 5 for split.validation 0.2"
    with pytest.raises(InputError, match=message):
        partition(labels, share=0.2, seed=0)


@pytest.mark.parametrize(
    ("train", "validation"),
    [([0, 1, 2], [2, 3]), ([0, 1], [3]), ([0, 1, 2], [3, 4]), ([0, 0, 1, 2], [3])],
    ids=["in both", "in none", "unknown", "twice"],
)
def test_parts_that_overlap_or_miss_an_image_are_refused(train: list[int], validation: list[int]) -> None:
    with pytest.raises(InputError, match="expected each of 4 in one"):
        check_partition(np.array(train), np.array(validation), images=4)


def test_disjoint_parts_that_cover_everything_pass() -> None:
    check_partition(np.array([0, 2]), np.array([1, 3]), images=4)
