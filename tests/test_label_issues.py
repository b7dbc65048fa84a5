import numpy as np
import numpy.typing as npt
import pytest

from pipeline.evaluation.predictions import Predictions
from pipeline.report.page.data import find_label_issues

CLASSES = 10


@pytest.fixture
def labels() -> npt.NDArray[np.uint8]:
    return (np.arange(400) % CLASSES).astype(np.uint8)


@pytest.fixture
def probabilities(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """A good model's: 0.82 for the true class, a little noise, and the rest divided."""
    generator = np.random.default_rng(0)
    likely = np.full((len(labels), CLASSES), 0.02) + 0.8 * np.eye(CLASSES)[labels]
    noisy = likely * generator.uniform(0.9, 1.1, likely.shape)
    return np.asarray(noisy / noisy.sum(axis=1, keepdims=True), np.float32)


def test_swapped_labels_are_found_and_no_others(
    labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]
) -> None:
    swapped = [17, 130, 255, 388]
    wrong = labels.copy()
    wrong[swapped] = (labels[swapped] + 3) % CLASSES
    assert sorted(find_label_issues(Predictions(wrong, probabilities)).tolist()) == swapped


def test_the_least_probable_label_comes_first(
    labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]
) -> None:
    swapped = [17, 130, 255, 388]
    wrong = labels.copy()
    wrong[swapped] = (labels[swapped] + 3) % CLASSES
    found = find_label_issues(Predictions(wrong, probabilities))
    given = probabilities[found, wrong[found]]
    assert np.all(np.diff(given) >= 0)


def test_a_model_that_agrees_with_every_label_finds_none(
    labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]
) -> None:
    assert find_label_issues(Predictions(labels, probabilities)).tolist() == []


def test_a_single_class_is_refused(probabilities: npt.NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="all labels are equal"):
        find_label_issues(Predictions(np.zeros(400, np.uint8), probabilities))


def test_absent_classes_do_no_harm(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> None:
    two = labels < 2
    wrong = labels[two].copy()
    wrong[7] = 1 - wrong[7]
    sure = probabilities[two]
    sure[7] = 0.9 * np.eye(CLASSES)[labels[two][7]] + 0.01
    assert find_label_issues(Predictions(wrong, sure)).tolist() == [7]
