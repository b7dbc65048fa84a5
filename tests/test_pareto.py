import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.pareto import pareto_front


def test_by_hand() -> None:
    #        a     b     c     d     e     f
    sizes = [100, 50, 1000, 500, 1000, 20]
    shares = [0.90, 0.85, 0.93, 0.90, 0.92, 0.80]
    # d is as accurate as a and larger, e as large as c and less accurate; f, b, a and c better all that are smaller.
    assert pareto_front(sizes, shares) == [5, 1, 0, 2]


def test_equals_in_both_share_their_place() -> None:
    assert pareto_front([10, 10, 5], [0.9, 0.9, 0.8]) == [2, 0, 1]


def test_of_equal_size_the_best_alone_and_of_equal_accuracy_the_smallest() -> None:
    assert pareto_front([10, 10, 10], [0.7, 0.9, 0.8]) == [1]
    assert pareto_front([30, 10, 20], [0.9, 0.9, 0.9]) == [1]


def test_one_is_the_front_and_none_is_none() -> None:
    assert pareto_front([7], [0.1]) == [0]
    assert pareto_front([], []) == []


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12))
def test_the_front_is_all_that_nothing_dominates(points: list[tuple[int, int]]) -> None:
    array = np.array(points).reshape(-1, 2)
    no_worse = (array[:, None, 0] <= array[None, :, 0]) & (array[:, None, 1] >= array[None, :, 1])
    better = (array[:, None, 0] < array[None, :, 0]) | (array[:, None, 1] > array[None, :, 1])
    dominated = (no_worse & better).any(axis=0)
    costs, gains = array[:, 0].tolist(), array[:, 1].tolist()
    front = pareto_front(costs, gains)
    assert sorted(front) == np.flatnonzero(~dominated).tolist()
    assert [costs[place] for place in front] == sorted(costs[place] for place in front)
