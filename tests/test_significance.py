"""Pairwise tests, ranking and variance components, against scipy, by hand and by simulation."""

from math import comb, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest, f_oneway, t, ttest_ind, ttest_rel

from pipeline.evaluation.significance import (
    Comparison,
    Estimate,
    Pair,
    Ranking,
    VarianceComponents,
    compare,
    holm,
    pooled_seed_variance,
    rank,
    variance_components,
)

Correct = npt.NDArray[np.bool_]
PROJECT_SEEDS = [5, 5, 1, 1, 1, 1, 1, 1, 5, 1, 1, 5]  # of the root's models


def correct(*seeds: str) -> Correct:
    """A one for each image that is correct, a text for each seed."""
    return np.array([[letter == "1" for letter in seed] for seed in seeds])


def test_the_difference_is_that_of_the_mean_accuracies() -> None:
    assert compare(correct("1110", "1100"), correct("1000")).difference == pytest.approx(5 / 8 - 1 / 4)


def test_single_seeds_are_compared_by_mcnemars_test() -> None:
    # Of 10 images on which they differ, the first wins 9: 9 or 10 heads of 10, or as many tails.
    found = compare(correct("1" * 9 + "0" + "1" * 50), correct("0" * 9 + "1" + "1" * 50))
    assert found.test == "McNemar"
    assert found.p_value == pytest.approx(2 * (comb(10, 9) + comb(10, 10)) / 2**10)


def test_mcnemars_test_ignores_images_on_which_both_agree() -> None:
    few, many = (
        compare(correct("110"), correct("001")),
        compare(correct("110" + "1" * 99), correct("001" + "1" * 99)),
    )
    assert few.p_value == many.p_value


def test_equal_seeds_leave_the_paired_t_test_over_images() -> None:
    first, second = np.random.default_rng(0).random((2, 200)) < [[0.8], [0.7]]
    found = compare(np.stack([first, first]), np.stack([second, second, second]))
    oracle = ttest_rel(first.astype(float), second.astype(float))
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found.difference / found.standard_error == pytest.approx(oracle.statistic)


def test_equal_images_leave_welchs_test_over_seeds() -> None:
    # Each seed classifies all images correctly or none.
    first, second = np.array([1, 1, 1, 0, 1]), np.array([0, 1, 0])
    found = compare(np.tile(first[:, np.newaxis], 50) > 0, np.tile(second[:, np.newaxis], 50) > 0)
    oracle = ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found.difference / found.standard_error == pytest.approx(oracle.statistic)


def test_the_variances_over_images_and_seeds_add_up() -> None:
    # Means of the images: 1, 1, 1/2, 1/2 and 1, 0, 0, 0; accuracies of the seeds: 1, 1/2 and 1/4.
    found = compare(correct("1111", "1100"), correct("1000"))
    per_image = np.array([0, 1, 1 / 2, 1 / 2])
    variance = ((per_image - 1 / 2) ** 2).sum() / 3 / 4 + ((1 - 3 / 4) ** 2 + (1 / 2 - 3 / 4) ** 2) / 2
    assert found.standard_error == pytest.approx(sqrt(variance))


def test_a_single_seed_gets_the_pooled_variance() -> None:
    several, single = correct("1111", "1100"), correct("1000")
    pooled = Estimate(0.01, 7)
    with_pool, without = compare(several, single, pooled), compare(several, single)
    assert with_pool.standard_error**2 == pytest.approx(without.standard_error**2 + 0.01)
    images, seeds = np.array([0, 1, 1 / 2, 1 / 2]).var(ddof=1) / 4, (1 / 4) ** 2 * 2 / 2
    freedom = (images + seeds + 0.01) ** 2 / (images**2 / 3 + seeds**2 / 1 + 0.01**2 / 7)
    statistic = found_statistic = abs(with_pool.difference) / with_pool.standard_error
    assert with_pool.p_value == pytest.approx(2 * t.sf(statistic, freedom))
    assert found_statistic < abs(without.difference) / without.standard_error


def test_two_single_seeds_get_it_twice_in_a_t_test() -> None:
    first, second = correct("11111000"), correct("10001000")
    found = compare(first, second, Estimate(0.002, 4))
    images = (first[0] ^ second[0]).astype(float).var(ddof=1) / 8
    assert found.test == "t-test"
    assert found.standard_error == pytest.approx(sqrt(images + 2 * 0.002))
    freedom = (images + 0.004) ** 2 / (images**2 / 7 + 0.004**2 / 4)
    assert found.p_value == pytest.approx(2 * t.sf(found.difference / found.standard_error, freedom))


def test_several_seeds_do_not_use_the_pooled_variance() -> None:
    models = correct("1110", "1010"), correct("0001", "0011")
    assert compare(*models, Estimate(1, 1)) == compare(*models)


def test_the_pooled_variance_is_the_mean_over_models() -> None:
    models = [correct("1111", "1100"), correct("1000"), correct("1110", "1100", "1000")]
    found = pooled_seed_variance(models)
    first, second = 1 / 8, 1 / 16  # of 1 and 1/2; of 3/4, 1/2 and 1/4
    assert found is not None
    assert found.variance == pytest.approx((first + second) / 2)
    assert found.freedom == pytest.approx((first + second) ** 2 / (first**2 / 1 + second**2 / 2))
    assert pooled_seed_variance(models[1:2]) is None


def test_the_order_turns_the_difference_and_keeps_the_p_value() -> None:
    models = correct("1110", "1010"), correct("0001")
    one, other = compare(*models), compare(*models[::-1])
    assert one.difference == -other.difference
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize("seeds", [1, 2])
def test_equal_models_have_no_significant_difference(seeds: int) -> None:
    model = correct(*["101"] * seeds)
    assert compare(model, model) == Comparison(0, 0, 1, "McNemar" if seeds == 1 else "t-test")


def simulated(
    generator: np.random.Generator, seeds: list[int], better: float = 0.0, images: int = 2_000
) -> list[Correct]:
    """Trainings of architectures on images of unlike difficulty, equal but for the first, which may be better."""
    ease = generator.normal(1.6, 1.2, images)
    return [
        ease + better * (model == 0) + generator.normal(0, 0.3, images) + generator.normal(0, 0.08, (number, 1))
        > generator.normal(0, 0.5, (number, images))
        for model, number in enumerate(seeds)
    ]


def test_of_equal_models_one_comparison_in_twenty_is_wrong() -> None:
    generator = np.random.default_rng(0)
    pairs = [simulated(generator, [5, 3]) for _ in range(400)]
    wrong = sum(compare(first, second).p_value < 0.05 for first, second in pairs)
    assert binomtest(wrong, 400, 0.05, alternative="greater").pvalue > 0.01
    by_images = sum(compare(first[:1], second[:1]).p_value < 0.05 for first, second in pairs)
    assert by_images > 2 * 20  # what McNemar's test of one seed each ignores


def test_reports_on_equal_models_are_wrong_in_one_of_twenty() -> None:
    generator = np.random.default_rng(1)
    reports = [rank(simulated(generator, PROJECT_SEEDS)) for _ in range(150)]
    wrong = sum(any(pair.significant for pair in ranking.pairs) for ranking in reports)
    uncorrected = sum(any(pair.comparison.p_value < 0.05 for pair in ranking.pairs) for ranking in reports)
    assert binomtest(wrong, 150, 0.05, alternative="greater").pvalue > 0.01
    assert uncorrected > 150 / 4


def test_without_pooled_variance_most_such_reports_are_wrong() -> None:
    generator = np.random.default_rng(1)
    wrong = 0
    for _ in range(20):
        singles = simulated(generator, [1] * 8)
        wrong += any(pair.significant for pair in rank(singles).pairs)
    assert wrong > 10


def test_a_model_that_is_better_is_found_to_be() -> None:
    generator = np.random.default_rng(0)
    pairs = [simulated(generator, [5, 3], better=0.8) for _ in range(50)]
    found = [compare(first, second) for first, second in pairs]
    assert all(one.p_value < 0.05 and one.difference > 0 for one in found)


def test_holms_correction_by_hand() -> None:
    # In order: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04, which may not be below its predecessor's 0.06.
    corrected = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_corrected_p_value_is_at_most_one() -> None:
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_one_p_value_needs_no_correction() -> None:
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.array([])).tolist() == []


def pair(first: int, second: int, difference: float, corrected: float) -> Pair:
    return Pair(first, second, Comparison(difference, 0.01, corrected, "t-test"), corrected)


# 0 is better than 2 and 3, 1 better than 3; 0 and 1, 1 and 2, 2 and 3 are tied.
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


def test_a_rank_counts_significantly_better_and_worse_models() -> None:
    assert [CHAIN.rank_range(model) for model in range(4)] == [(1, 2), (1, 3), (2, 4), (3, 4)]


def test_ties_are_named_and_grouped() -> None:
    assert [CHAIN.tied_with(model) for model in range(4)] == [[1], [0, 2], [1, 3], [2]]
    assert CHAIN.groups == [[0, 1], [1, 2], [2, 3]]


def test_a_group_is_as_large_as_it_can_be() -> None:
    pairs = [pair(0, 1, 0, 1), pair(0, 2, 0, 1), pair(0, 3, 0.1, 0.01)]
    pairs += [pair(1, 2, 0, 1), pair(1, 3, 0.1, 0.01), pair(2, 3, 0.1, 0.01)]
    ranking = Ranking(4, pairs)
    assert ranking.groups == [[0, 1, 2]]
    assert ranking.rank_range(3) == (4, 4)


def test_one_model_ranks_first() -> None:
    ranking = rank([np.ones((2, 5), np.bool_)])
    assert ranking.rank_range(0) == (1, 1)
    assert ranking.groups == []


def drawn(generator: np.random.Generator, accuracy: float, seeds: int) -> Correct:
    return generator.random((seeds, 2_000)) < accuracy + generator.normal(0, 0.005, (seeds, 1))


def test_models_are_ranked_by_significant_differences() -> None:
    generator = np.random.default_rng(0)
    models = [(0.6, 3), (0.9, 5), (0.9, 1), (0.75, 3), (0.9, 4)]
    ranking = rank([drawn(generator, accuracy, seeds) for accuracy, seeds in models])
    assert [ranking.rank_range(model) for model in range(5)] == [(5, 5), (1, 3), (1, 3), (4, 4), (1, 3)]
    assert ranking.groups == [[1, 2, 4]]


def components(models: list[Correct]) -> VarianceComponents:
    return variance_components(models, rank(models))


def test_the_variance_components_by_hand() -> None:
    # Accuracies of the seeds: 3/4 and 1/4. Less the means of seeds and images, each cell is 1/4 or -1/4.
    found = components([correct("1110", "1000")])
    assert found.images == pytest.approx(3 / 16 / 3)
    assert found.seed_on_test_set == pytest.approx(2 * (1 / 4) ** 2)
    rest = [[-1 / 4, 1 / 4, 1 / 4, -1 / 4], [1 / 4, -1 / 4, -1 / 4, 1 / 4]]
    interaction = np.square(rest).sum() / (1 * 3)
    assert found.seed == pytest.approx(2 * (1 / 4) ** 2 - interaction / 4)
    assert found.repeatability_limit == pytest.approx(1.96 * (2 * 2 * (1 / 4) ** 2) ** 0.5)
    assert found.architecture is None


def test_the_architectures_variance_excludes_that_of_chance() -> None:
    per_image = np.array([0, 1, 1, 0])
    found = components([correct("1110"), correct("1000")])
    assert found.architecture == pytest.approx(((1 / 2) ** 2 - per_image.var(ddof=1) / 4) / 2)


def test_the_seeds_variance_is_that_of_an_analysis_of_variance() -> None:
    generator = np.random.default_rng(0)
    model = generator.random((4, 300)) < generator.random(300) + generator.normal(0, 0.2, (4, 1))
    # With images that take no part, between seeds over within seeds is the F of one way; so is it where each image's
    # mean is taken out first, but for the degrees of freedom.
    centred = model - model.mean(axis=0)
    between = 300 * centred.mean(axis=1).var(ddof=1)
    within = between / f_oneway(*centred).statistic * (4 * 299) / (3 * 299)
    assert components([model]).seed == pytest.approx((between - within) / 300)


def test_the_components_of_simulated_trainings_are_found() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(0.8, 0.05, 30)
    models = [generator.random((10, 4_000)) < accuracy + generator.normal(0, 0.01, (10, 1)) for accuracy in true]
    found = components(models)
    assert found.seed == pytest.approx(0.01**2, rel=0.2)
    assert found.seed_on_test_set == pytest.approx(0.01**2 + 0.16 / 4_000, rel=0.2)
    assert found.architecture == pytest.approx(true.var(ddof=1), rel=0.1)
    assert found.images == pytest.approx(np.mean(true * (1 - true)) / 4_000, rel=0.02)


def test_seeds_that_agree_have_no_variance() -> None:
    found = components([np.array([[1, 0, 1]] * 3) > 0])
    assert (found.seed, found.seed_on_test_set) == (0, 0)


def test_with_single_seeds_the_seed_variance_is_unknown() -> None:
    found = components([correct("101"), correct("111")])
    assert (found.seed, found.seed_on_test_set, found.repeatability_limit) == (None, None, None)
