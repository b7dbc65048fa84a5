"""Scores, calibration, confusion tables and the Pareto front."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from pipeline.data.dataset import SPLITS
from pipeline.evaluation.metrics import (
    CALIBRATION_BINS,
    all_scores,
    class_scores,
    confusion_counts,
    confusion_table,
    expected_calibration_error,
    headline,
    load_confusion,
    mean_scores,
    pareto_front,
    per_class_table,
    reliability,
    scores,
    standard_deviations,
)
from pipeline.evaluation.predictions import Predictions, SeedPredictions
from pipeline.io import InputError, write_csv

# Five images of three classes:           actual 0  0  1  1  2
#                                      predicted 0  1  1  1  0
LABELS = np.array([0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0, 1, 0], [0.5, 0.25, 0.25]], np.float32
)
NAMES = ["Shirt", "Coat", "Bag", "Dress"]
PREDICTED = np.array([0, 1, 1, 1, 0])


def test_scores_equal_those_counted_by_hand() -> None:
    assert scores(Predictions(LABELS, PROBABILITIES)) == pytest.approx(
        {
            "accuracy": 3 / 5,
            "f1_macro": (1 / 2 + 4 / 5 + 0) / 3,
            "f1_weighted": (2 * 1 / 2 + 2 * 4 / 5 + 0) / 5,
            "precision_macro": (1 / 2 + 2 / 3 + 0) / 3,
            "precision_weighted": (2 * 1 / 2 + 2 * 2 / 3 + 0) / 5,
            "recall_macro": (1 / 2 + 1 + 0) / 3,
            "recall_weighted": (2 * 1 / 2 + 2 * 1 + 0) / 5,
            "log_loss": (np.log(2) + np.log(4) + np.log(2) + np.log(1) + np.log(4)) / 5,
        },
        rel=1e-6,
    )


def test_the_first_of_equally_probable_classes_is_predicted() -> None:
    assert scores(Predictions(np.array([0], np.uint8), np.array([[0.5, 0.5]], np.float32)))["accuracy"] == 1


def test_an_absent_class_counts_as_zero_in_macro_means_only() -> None:
    perfect = np.zeros(4, np.uint8)
    counted = class_scores(perfect, perfect, classes=4)
    assert counted["f1_macro"] == counted["precision_macro"] == counted["recall_macro"] == 1 / 4
    assert counted["accuracy"] == counted["f1_weighted"] == 1


def test_one_confident_mistake_costs_a_finite_loss() -> None:
    loss = scores(Predictions(np.array([1], np.uint8), np.array([[1, 0]], np.float32)))["log_loss"]
    assert loss == pytest.approx(23 * np.log(2), rel=1e-6)  # float32 resolves 2**-23


def test_several_seeds_have_a_mean_and_a_standard_deviation() -> None:
    of_seeds = [{"accuracy": 0.5, "f1_macro": 0.2}, {"accuracy": 0.7, "f1_macro": 0.2}]
    assert mean_scores(of_seeds) == pytest.approx({"accuracy": 0.6, "f1_macro": 0.2})
    assert standard_deviations(of_seeds) == pytest.approx({"accuracy_std": 0.02**0.5, "f1_macro_std": 0})


# Three seeds and four images of class 0: each seed misses another image, and no image is missed by two.
THREE_SEEDS = SeedPredictions(
    np.array([0, 0, 0, 1], np.uint8),
    np.array([[[0.4, 0.6] if image == seed else [0.9, 0.1] for image in range(3)] + [[0.2, 0.8]] for seed in range(3)])
    .astype(np.float32)
    .reshape(3, 4, 2),
)


def test_the_ensemble_averages_the_probabilities_of_the_seeds() -> None:
    found = all_scores(dict.fromkeys(SPLITS, THREE_SEEDS))["test"]
    assert found["accuracy"] == pytest.approx(3 / 4)
    assert found["ensemble_accuracy"] == 1
    np.testing.assert_allclose(
        THREE_SEEDS.ensemble.probabilities[0], [(0.4 + 0.9 + 0.9) / 3, (0.6 + 0.1 + 0.1) / 3], 1e-6
    )


def test_all_scores_give_intervals_for_the_test_split_only() -> None:
    found = all_scores(dict.fromkeys(SPLITS, THREE_SEEDS))
    assert list(found) == ["seeds", *SPLITS]
    assert "accuracy_low" not in found["validation"]
    assert found["test"]["accuracy_low"] <= found["test"]["accuracy"] <= found["test"]["accuracy_high"]


def test_headline_numbers_are_at_most_ten() -> None:
    one = SeedPredictions(THREE_SEEDS.labels, THREE_SEEDS.probabilities[:1])
    several, single = (headline(all_scores(dict.fromkeys(SPLITS, seeds))) for seeds in (THREE_SEEDS, one))
    test = ["accuracy", "accuracy_low", "f1_macro", "f1_macro_low", "log_loss"]
    assert list(several) == list(single) == ["seeds", "test", "validation"]
    assert list(several["test"]) == [*test, "ensemble_accuracy"]
    assert list(single["test"]) == test
    assert list(single["validation"]) == ["accuracy", "f1_macro", "log_loss"]
    assert (several["seeds"], single["seeds"]) == (3, 1)


def confident(labels: list[int], confidences: list[float]) -> Predictions:
    """Two classes, the first predicted with each confidence."""
    first = np.array(confidences, np.float32)
    return Predictions(np.array(labels, np.uint8), np.stack([first, 1 - first], axis=1))


def test_bins_hold_means_and_numbers_worked_by_hand() -> None:
    table = reliability(confident([0, 1, 0, 0], [0.62, 0.64, 0.95, 0.99]))
    assert table["images"].tolist() == [2, 2]
    np.testing.assert_allclose(table["low"], [9 / 15, 14 / 15])
    np.testing.assert_allclose(table["high"], [10 / 15, 1])
    np.testing.assert_allclose(table["confidence"], [0.63, 0.97], rtol=1e-6)
    np.testing.assert_allclose(table["accuracy"], [0.5, 1])


def test_the_calibration_error_weighs_the_gaps_by_images() -> None:
    table = reliability(confident([0, 1, 0, 0, 0, 0], [0.62, 0.64, 0.95, 0.99, 0.97, 0.97]))
    assert expected_calibration_error(table) == pytest.approx((2 * 0.13 + 4 * 0.03) / 6)


def test_correct_certainty_has_no_calibration_error() -> None:
    assert expected_calibration_error(reliability(confident([0, 0], [1, 1]))) == 0
    assert expected_calibration_error(reliability(confident([1, 1], [1, 1]))) == 1


def test_bins_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(10, 0.2), size=3000).astype(np.float32)
    labels = generator.integers(10, size=3000).astype(np.uint8)
    table = reliability(Predictions(labels, probabilities))
    correct = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(correct, probabilities.max(axis=1), n_bins=CALIBRATION_BINS)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence, rtol=1e-5)


def test_actual_classes_are_counted_in_rows() -> None:
    assert confusion_counts(LABELS, PREDICTED, 4).tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_the_confusion_table_has_a_row_for_each_image() -> None:
    table = confusion_table(LABELS, PREDICTED, NAMES)
    assert table.to_dict("list") == {
        "actual": ["Shirt", "Shirt", "Coat", "Coat", "Bag"],
        "predicted": ["Shirt", "Coat", "Coat", "Coat", "Shirt"],
    }


def test_per_class_metrics_equal_those_counted_by_hand() -> None:
    expected = pd.DataFrame(
        {
            "class": NAMES,
            "precision": [1 / 2, 2 / 3, 0, 0],
            "recall": [1 / 2, 1, 0, 0],
            "f1": [1 / 2, 4 / 5, 0, 0],
            "support": [2, 2, 1, 0],
        }
    )
    pd.testing.assert_frame_equal(per_class_table(LABELS, PREDICTED, NAMES), expected, check_dtype=False)


@pytest.mark.parametrize(
    "names", [NAMES, ["0", "1", "2", "3"], ["NA", "null", "", "None"], ['a, "b"', "<b>", " c", "T-shirt/top"]]
)
def test_a_confusion_table_loads_whatever_the_names(tmp_path: Path, names: list[str]) -> None:
    write_csv(tmp_path / "confusion.csv", confusion_table(LABELS, PREDICTED, names))
    actual, predicted = load_confusion(tmp_path / "confusion.csv", names)
    assert actual.tolist() == LABELS.tolist()
    assert predicted.tolist() == PREDICTED.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table"),
        ("actual,predicted\n", "found the columns actual, predicted and 0 rows"),
        ("actual,guess\nBag,Bag\n", "found the columns actual, guess and 1 rows"),
        ("actual,predicted\nBag,Bag\nBag,Hat\n", "found 'Hat' in line 3, expected a class: Shirt, Coat, Bag, Dress"),
        ("actual,predicted\nBag,Bag\nBag,Bag,Bag\n", "expected a table"),
    ],
)
def test_a_file_that_is_no_confusion_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "confusion.csv").write_text(text)
    with pytest.raises(InputError, match=rf"confusion\.csv: {message}"):
        load_confusion(tmp_path / "confusion.csv", NAMES)


def test_the_pareto_front_by_hand() -> None:
    #        a     b     c     d     e     f
    sizes = [100, 50, 1000, 500, 1000, 20]
    accuracies = [0.90, 0.85, 0.93, 0.90, 0.92, 0.80]
    # d is as accurate as a and larger, e as large as c and less accurate; f, b, a and c beat all smaller ones.
    assert pareto_front(sizes, accuracies) == [5, 1, 0, 2]


def test_equals_in_both_are_both_on_the_front() -> None:
    assert pareto_front([10, 10, 5], [0.9, 0.9, 0.8]) == [2, 0, 1]


def test_of_equal_size_only_the_best_is_on_the_front() -> None:
    assert pareto_front([10, 10, 10], [0.7, 0.9, 0.8]) == [1]
    assert pareto_front([30, 10, 20], [0.9, 0.9, 0.9]) == [1]


def test_the_front_of_one_and_of_none() -> None:
    assert pareto_front([7], [0.1]) == [0]
    assert pareto_front([], []) == []


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12))
def test_the_front_is_all_that_nothing_dominates(points: list[tuple[int, int]]) -> None:
    array: npt.NDArray[np.int64] = np.array(points, np.int64).reshape(-1, 2)
    no_worse = (array[:, None, 0] <= array[None, :, 0]) & (array[:, None, 1] >= array[None, :, 1])
    better = (array[:, None, 0] < array[None, :, 0]) | (array[:, None, 1] > array[None, :, 1])
    dominated = (no_worse & better).any(axis=0)
    costs, gains = array[:, 0].tolist(), array[:, 1].tolist()
    front = pareto_front(costs, gains)
    assert sorted(front) == np.flatnonzero(~dominated).tolist()
    assert [costs[index] for index in front] == sorted(costs[index] for index in front)
