from math import comb, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest, ttest_ind, ttest_rel

from pipeline.evaluation.comparison import Comparison, compare


def right(*seeds: str) -> npt.NDArray[np.bool_]:
    """A one for each image that is right, a text a seed."""
    return np.array([[letter == "1" for letter in seed] for seed in seeds])


def test_the_difference_is_that_of_the_mean_accuracies() -> None:
    assert compare(right("1110", "1100"), right("1000")).difference == pytest.approx(5 / 8 - 1 / 4)


def test_of_one_seed_each_the_p_value_is_that_of_a_fair_coin() -> None:
    # Of 10 images on which they differ, the first wins 9: 9 or 10 heads of 10, or as many tails.
    found = compare(right("1" * 9 + "0" + "1" * 50), right("0" * 9 + "1" + "1" * 50))
    assert found.p_value == pytest.approx(2 * (comb(10, 9) + comb(10, 10)) / 2**10)


def test_of_one_seed_each_the_images_on_which_both_agree_change_no_p_value() -> None:
    few, many = compare(right("110"), right("001")), compare(right("110" + "1" * 99), right("001" + "1" * 99))
    assert few.p_value == many.p_value


def test_seeds_that_agree_leave_the_paired_t_test_over_the_images() -> None:
    first, second = np.random.default_rng(0).random((2, 200)) < [[0.8], [0.7]]
    found = compare(np.stack([first, first]), np.stack([second, second, second]))
    oracle = ttest_rel(first.astype(float), second.astype(float))
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found.difference / found.standard_error == pytest.approx(oracle.statistic)


def test_where_images_make_no_difference_welchs_test_over_the_seeds_is_left() -> None:
    # Each seed is right in all or in nothing, so that all images are alike.
    first, second = np.array([1, 1, 1, 0, 1]), np.array([0, 1, 0])
    found = compare(np.tile(first[:, np.newaxis], 50) > 0, np.tile(second[:, np.newaxis], 50) > 0)
    oracle = ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert found.difference / found.standard_error == pytest.approx(oracle.statistic)


def test_the_variances_over_images_and_seeds_add_up_by_hand() -> None:
    # Means of the images: 1, 1, 1/2, 1/2 and 1, 0, 0, 0; accuracies of the seeds: 1, 1/2 and 1/4.
    found = compare(right("1111", "1100"), right("1000"))
    of_images = np.array([0, 1, 1 / 2, 1 / 2])
    variance = ((of_images - 1 / 2) ** 2).sum() / 3 / 4 + ((1 - 3 / 4) ** 2 + (1 / 2 - 3 / 4) ** 2) / 2
    assert found.standard_error == pytest.approx(sqrt(variance))


def test_the_order_turns_the_difference_and_keeps_the_p_value() -> None:
    models = right("1110", "1010"), right("0001")
    one, other = compare(*models), compare(*models[::-1])
    assert one.difference == -other.difference
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize("seeds", [1, 2])
def test_models_that_never_differ_cannot_be_told_apart(seeds: int) -> None:
    model = right(*["101"] * seeds)
    assert compare(model, model) == Comparison(0, 0, 1)


def simulated(generator: np.random.Generator, images: int, better: float = 0.0) -> list[npt.NDArray[np.bool_]]:
    """Two models of five and three seeds on images of unlike difficulty, the first so much better."""
    ease = generator.normal(1.6, 1.2, images)
    return [
        ease + advantage + generator.normal(0, 0.3, images) + generator.normal(0, 0.08, (seeds, 1))
        > generator.normal(0, 0.5, (seeds, images))
        for seeds, advantage in ((5, better), (3, 0.0))
    ]


def test_of_models_that_are_equal_one_comparison_in_twenty_is_wrong_and_without_the_seeds_many_are() -> None:
    generator = np.random.default_rng(0)
    pairs = [simulated(generator, 2_000) for _ in range(400)]
    wrong = sum(compare(*pair).p_value < 0.05 for pair in pairs)
    assert binomtest(wrong, 400, 0.05, alternative="greater").pvalue > 0.01
    by_images = sum(compare(*(model[:1] for model in pair)).p_value < 0.05 for pair in pairs)
    assert by_images > 2 * 20  # what McNemar's test of one seed each does not know of


def test_a_model_that_is_better_is_found_to_be() -> None:
    generator = np.random.default_rng(0)
    found = [compare(*simulated(generator, 2_000, better=0.8)) for _ in range(50)]
    assert all(one.p_value < 0.05 and one.difference > 0 for one in found)
