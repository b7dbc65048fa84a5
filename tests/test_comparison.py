from math import comb

import numpy as np
import pytest

from pipeline.evaluation.comparison import compare


def right(text: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """A one for each image that is right."""
    return np.array([letter == "1" for letter in text])


def test_images_are_counted_that_one_alone_gets_right() -> None:
    found = compare(right("110110"), right("100011"))
    assert (found.only_first, found.only_second) == (2, 1)


def test_the_p_value_is_that_of_a_fair_coin() -> None:
    # Of 10 images on which they differ, the first wins 9: 9 or 10 heads of 10, or as many tails.
    found = compare(right("1" * 9 + "0" + "1" * 50), right("0" * 9 + "1" + "1" * 50))
    assert found.p_value == pytest.approx(2 * (comb(10, 9) + comb(10, 10)) / 2**10)


def test_images_on_which_both_agree_change_nothing() -> None:
    few, many = compare(right("110"), right("001")), compare(right("110" + "1" * 99), right("001" + "1" * 99))
    assert few == many


def test_the_order_turns_the_counts_and_keeps_the_p_value() -> None:
    one, other = compare(right("1110"), right("0001")), compare(right("0001"), right("1110"))
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.p_value == other.p_value


def test_models_that_never_differ_cannot_be_told_apart() -> None:
    assert compare(right("101"), right("101")).p_value == 1
