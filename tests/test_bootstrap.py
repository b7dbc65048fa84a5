"""Bootstrap intervals, against scipy, by hand and by simulation."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, bootstrap, norm

from pipeline.evaluation.bootstrap import bootstrap_intervals
from pipeline.evaluation.metrics import confusion_counts

# 120 images of three classes, the last one rare.
CONFUSION = np.array([[50, 8, 2], [5, 40, 3], [4, 1, 7]])


def images(confusion: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Actual and predicted class of each image that the matrix counts."""
    actual, predicted = np.indices(confusion.shape)
    return np.repeat(actual, confusion.ravel()), np.repeat(predicted, confusion.ravel())


def accuracy(actual: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.mean(actual == predicted, axis=axis))


def f1_macro(actual: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.float64]:
    each = []
    for label in range(len(CONFUSION)):
        hits = np.sum((actual == label) & (predicted == label), axis=axis)
        each.append(2 * hits / (np.sum(actual == label, axis=axis) + np.sum(predicted == label, axis=axis)))
    return np.asarray(np.mean(each, axis=0))


def of_one_seed(confusion: npt.NDArray[np.int64]) -> dict[str, float]:
    actual, predicted = images(confusion)
    return bootstrap_intervals(actual, predicted[np.newaxis], len(confusion))


@pytest.mark.parametrize(("name", "figure"), [("accuracy", accuracy), ("f1_macro", f1_macro)])
def test_intervals_agree_with_scipy_resampling_the_images(name: str, figure: object) -> None:
    oracle = bootstrap(
        images(CONFUSION), figure, paired=True, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    intervals = of_one_seed(CONFUSION)
    assert intervals[f"{name}_low"] == pytest.approx(oracle.low, abs=0.01)
    assert intervals[f"{name}_high"] == pytest.approx(oracle.high, abs=0.01)


def test_accuracy_intervals_are_binomial_quantiles() -> None:
    right, total = 9_000, 10_000
    confusion = np.array([[5_000, 400], [600, 4_000]])
    intervals = of_one_seed(confusion)
    expected = binom.ppf([0.025, 0.975], total, right / total) / total
    assert [intervals["accuracy_low"], intervals["accuracy_high"]] == pytest.approx(expected, abs=3e-4)


def test_f1_of_a_class_missing_from_a_resample_is_zero() -> None:
    # Two images, each right: a resample holds both classes or, half the time, one of them.
    intervals = of_one_seed(np.eye(2, dtype=np.int64))
    assert intervals == {"accuracy_low": 1, "accuracy_high": 1, "f1_macro_low": 0.5, "f1_macro_high": 1}


def test_the_seed_is_fixed() -> None:
    assert of_one_seed(CONFUSION) == of_one_seed(CONFUSION)


def test_empty_cells_stay_empty() -> None:
    # No image of the last class: its F1 is 0 in every resample, and the others differ by the chance of the draws alone.
    padded = np.pad(CONFUSION, ((0, 1), (0, 1)))
    intervals, without = of_one_seed(padded), of_one_seed(CONFUSION)
    assert intervals["accuracy_low"] == pytest.approx(without["accuracy_low"], abs=0.01)
    assert intervals["f1_macro_high"] == pytest.approx(without["f1_macro_high"] * 3 / 4, abs=0.01)


def test_actual_classes_are_in_rows() -> None:
    actual, predicted = images(CONFUSION)
    assert confusion_counts(actual, predicted, 3).tolist() == CONFUSION.tolist()


def of_three_seeds() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Actual classes (120,), and what three seeds of unlike accuracy make of them (3, 120)."""
    generator = np.random.default_rng(0)
    actual, predicted = images(CONFUSION)
    guesses = generator.integers(3, size=(3, len(actual)))
    return actual, np.where(generator.random((3, len(actual))) < [[0], [0.1], [0.2]], guesses, predicted)


def test_seeds_and_images_are_drawn_independently() -> None:
    actual, predicted = of_three_seeds()
    generator = np.random.default_rng(1)
    resampled = []
    for _ in range(4_000):
        seeds, drawn = generator.integers(3, size=3), generator.integers(120, size=120)
        table = predicted[np.ix_(seeds, drawn)]
        of_images = np.broadcast_to(actual[drawn], table.shape)
        resampled.append([accuracy(of_images, table, 1).mean(), f1_macro(of_images, table, 1).mean()])
    expected = np.quantile(resampled, [0.025, 0.975], axis=0)
    intervals = bootstrap_intervals(actual, predicted, 3)
    for place, name in enumerate(("accuracy", "f1_macro")):
        found = [intervals[f"{name}_low"], intervals[f"{name}_high"]]
        assert found == pytest.approx(expected[:, place], abs=0.012)


def test_the_same_seed_may_be_drawn_twice() -> None:
    # Two seeds are drawn of two: both the good one in a quarter of the resamples, both the bad one in another.
    actual = np.array([0, 1] * 50)
    intervals = bootstrap_intervals(actual, np.stack([actual, 1 - actual]), 2)
    assert (intervals["accuracy_low"], intervals["accuracy_high"]) == (0, 1)


def test_seeds_that_agree_have_the_interval_of_one() -> None:
    actual, predicted = images(CONFUSION)
    assert bootstrap_intervals(actual, np.tile(predicted, (3, 1)), 3) == pytest.approx(
        of_one_seed(CONFUSION), abs=0.005
    )


@pytest.mark.parametrize("seeds", [1, 5])
def test_intervals_cover_the_accuracy_of_an_infinite_test_set(seeds: int) -> None:
    generator = np.random.default_rng(0)
    deviation = 0.05 if seeds > 1 else 0.0  # one seed's interval leaves out training variance
    truth = norm.cdf(1.6 / np.sqrt(1.2**2 + deviation**2 + 0.5**2))
    covered = 0
    for _ in range(60):
        shift = generator.normal(0, deviation, (seeds, 1)) + generator.normal(0, 0.5, (seeds, 1_000))
        mistaken = (generator.normal(1.6, 1.2, 1_000) + shift <= 0).astype(np.int64)
        found = bootstrap_intervals(np.zeros(1_000, np.int64), mistaken, 2)
        covered += found["accuracy_low"] <= truth <= found["accuracy_high"]
    assert covered >= 53  # of 60 at 95 %, fewer come once in a hundred times
