import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import f_oneway

from pipeline.evaluation.ranking import rank
from pipeline.evaluation.variance import Variance, divide_variance

Right = npt.NDArray[np.bool_]


def divide(models: list[Right]) -> Variance:
    return divide_variance(models, rank(models))


def test_the_parts_by_hand() -> None:
    # Accuracies of the seeds: 3/4 and 1/4. Less the means of seeds and images, each cell is 1/4 or -1/4.
    first = np.array([[1, 1, 1, 0], [1, 0, 0, 0]]) > 0
    found = divide([first])
    assert found.images == pytest.approx(3 / 16 / 3)
    assert found.seed_here == pytest.approx(2 * (1 / 4) ** 2)
    left = [[-1 / 4, 1 / 4, 1 / 4, -1 / 4], [1 / 4, -1 / 4, -1 / 4, 1 / 4]]
    single = np.square(left).sum() / (1 * 3)
    assert found.seed == pytest.approx(2 * (1 / 4) ** 2 - single / 4)
    assert found.seed_reach == pytest.approx(1.96 * (2 * 2 * (1 / 4) ** 2) ** 0.5)
    assert found.architecture is None


def test_the_architectures_part_is_half_the_squared_difference_less_what_chance_makes_of_it() -> None:
    first, second = np.array([[1, 1, 1, 0]]) > 0, np.array([[1, 0, 0, 0]]) > 0
    of_images = np.array([0, 1, 1, 0])
    assert divide([first, second]).architecture == pytest.approx(((1 / 2) ** 2 - of_images.var(ddof=1) / 4) / 2)


def test_the_seeds_part_is_that_of_an_analysis_of_variance() -> None:
    generator = np.random.default_rng(0)
    right = generator.random((4, 300)) < generator.random(300) + generator.normal(0, 0.2, (4, 1))
    # With images that take no part, between seeds over within seeds is the F of one way; so is it where each image's
    # mean is taken out first, but for the degrees of freedom.
    centred = right - right.mean(axis=0)
    between = 300 * centred.mean(axis=1).var(ddof=1)
    within = between / f_oneway(*centred).statistic * (4 * 299) / (3 * 299)
    assert divide([right]).seed == pytest.approx((between - within) / 300)


def test_the_parts_are_found_again_that_simulated_trainings_have() -> None:
    generator = np.random.default_rng(0)
    true = generator.normal(0.8, 0.05, 30)
    models = [generator.random((10, 4_000)) < accuracy + generator.normal(0, 0.01, (10, 1)) for accuracy in true]
    found = divide(models)
    assert found.seed == pytest.approx(0.01**2, rel=0.2)
    assert found.seed_here == pytest.approx(0.01**2 + 0.16 / 4_000, rel=0.2)
    assert found.architecture == pytest.approx(true.var(ddof=1), rel=0.1)
    assert found.images == pytest.approx(np.mean(true * (1 - true)) / 4_000, rel=0.02)


def test_seeds_that_agree_make_no_difference() -> None:
    model = np.array([[1, 0, 1]] * 3) > 0
    found = divide([model])
    assert (found.seed, found.seed_here) == (0, 0)


def test_of_one_seed_each_the_seeds_part_is_not_known() -> None:
    found = divide([np.array([[1, 0, 1]]) > 0, np.array([[1, 1, 1]]) > 0])
    assert (found.seed, found.seed_here, found.seed_reach) == (None, None, None)
