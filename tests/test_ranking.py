import numpy as np
import numpy.typing as npt
import pytest

from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.ranking import Pair, Ranking, holm, rank


def test_holms_correction_by_hand() -> None:
    # In their order: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04, which may not come below its forerunner's 0.06.
    corrected = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_corrected_p_value_is_at_most_one() -> None:
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_one_p_value_needs_no_correction_and_none_is_none() -> None:
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.array([])).tolist() == []


def pair(first: int, second: int, difference: float, corrected: float) -> Pair:
    return Pair(first, second, Comparison(difference, 0.01, corrected), corrected)


# 0 is better than 2 and 3, 1 better than 3; 0 and 1, 1 and 2, 2 and 3 cannot be told apart.
CHAIN = Ranking(
    4,
    [
        pair(0, 1, 0.01, 0.3),
        pair(0, 2, 0.02, 0.01),
        pair(0, 3, 0.03, 0.001),
        pair(1, 2, 0.01, 0.3),
        pair(1, 3, 0.02, 0.01),
        pair(2, 3, 0.01, 0.05),
    ],
)


def test_a_rank_counts_those_that_are_better_and_those_that_are_worse_beyond_chance() -> None:
    assert [CHAIN.range_of(model) for model in range(4)] == [(1, 2), (1, 3), (2, 4), (3, 4)]


def test_models_that_cannot_be_told_apart_are_named_and_grouped() -> None:
    assert [CHAIN.not_told_apart_from(model) for model in range(4)] == [[1], [0, 2], [1, 3], [2]]
    assert CHAIN.groups == [[0, 1], [1, 2], [2, 3]]


def test_a_group_is_as_large_as_it_can_be() -> None:
    pairs = [pair(0, 1, 0, 1), pair(0, 2, 0, 1), pair(0, 3, 0.1, 0.01)]
    pairs += [pair(1, 2, 0, 1), pair(1, 3, 0.1, 0.01), pair(2, 3, 0.1, 0.01)]
    ranking = Ranking(4, pairs)
    assert ranking.groups == [[0, 1, 2]]
    assert ranking.range_of(3) == (4, 4)


def test_one_model_ranks_first() -> None:
    ranking = rank([np.ones((2, 5), np.bool_)])
    assert ranking.range_of(0) == (1, 1)
    assert ranking.groups == []


def drawn(generator: np.random.Generator, accuracy: float, seeds: int) -> npt.NDArray[np.bool_]:
    return generator.random((seeds, 2_000)) < accuracy + generator.normal(0, 0.005, (seeds, 1))


def test_models_are_ranked_by_what_is_beyond_chance() -> None:
    generator = np.random.default_rng(0)
    models = [(0.6, 3), (0.9, 5), (0.9, 1), (0.75, 3), (0.9, 4)]
    ranking = rank([drawn(generator, accuracy, seeds) for accuracy, seeds in models])
    assert [ranking.range_of(model) for model in range(5)] == [(5, 5), (1, 3), (1, 3), (4, 4), (1, 3)]
    assert ranking.groups == [[1, 2, 4]]


def test_of_ten_equal_models_hardly_ever_are_two_told_apart() -> None:
    generator = np.random.default_rng(0)
    reports = [rank([drawn(generator, 0.9, 5) for _ in range(10)]) for _ in range(60)]
    wrong = sum(any(pair.told_apart for pair in ranking.pairs) for ranking in reports)
    uncorrected = sum(any(pair.comparison.p_value < 0.05 for pair in ranking.pairs) for ranking in reports)
    assert wrong <= 7  # of 60 at 5 %, more than 7 come once in a hundred times
    assert uncorrected > 2 * 7
