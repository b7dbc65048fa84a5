"""Test images held out of data that have no test part of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config_data import HeldOut
from pipeline.data.dataset import check_disjoint
from pipeline.data.held_out import hold_out
from pipeline.data.split import stratified_split
from pipeline.io import InputError


@given(
    counts=st.lists(st.integers(2, 300), min_size=2, max_size=6),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_class_gives_its_fraction_or_one_image(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    test = HeldOut(fraction=fraction, seed=seed)
    kept, held_out = hold_out(labels, test, "data.csv.test")
    check_disjoint(kept, held_out, len(labels))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held_out) > 0).all()
    for count, held in zip(counts, np.bincount(labels[held_out]), strict=True):
        assert 1 <= held <= count - 1
        assert abs(held - count * fraction) < 2
    assert np.array_equal(held_out, hold_out(labels, test, "data.csv.test")[1])


def test_classes_with_enough_images_are_split_as_for_validation() -> None:
    labels = np.repeat(["cat", "dog", "fox"], [50, 30, 20])
    found = hold_out(labels, HeldOut(fraction=0.2, seed=3), "data.images.test")
    for indices, expected in zip(found, stratified_split(labels, 0.2, 3, "any"), strict=True):
        np.testing.assert_array_equal(indices, expected)


@pytest.mark.parametrize(("names", "name"), [(None, 4), (["cat", "dog", "fox"], "fox")])
def test_a_class_of_one_image_is_named(names: list[str] | None, name: object) -> None:
    labels = np.repeat(np.array([0, 1, 4], np.uint8), [50, 30, 1])
    message = f"^data.idx.test: found 1 image of class {name}, expected at least 2, to train and to test on$"
    with pytest.raises(InputError, match=message):
        hold_out(labels, HeldOut(fraction=0.2, seed=3), "data.idx.test", names)
