import numpy as np
import numpy.typing as npt
import pytest
from sklearn.calibration import calibration_curve

from pipeline.evaluation.calibration import BINS, expected_calibration_error, reliability


def confident(*confidences: float) -> npt.NDArray[np.float32]:
    """Two classes, the first predicted with each confidence."""
    first = np.array(confidences, np.float32)
    return np.stack([first, 1 - first], axis=1)


def labels(*values: int) -> npt.NDArray[np.uint8]:
    return np.array(values, np.uint8)


def test_bins_hold_means_and_numbers_worked_by_hand() -> None:
    table = reliability(labels(0, 1, 0, 0), confident(0.62, 0.64, 0.95, 0.99))
    assert table["images"].tolist() == [2, 2]
    np.testing.assert_allclose(table["low"], [9 / 15, 14 / 15])
    np.testing.assert_allclose(table["high"], [10 / 15, 1])
    np.testing.assert_allclose(table["confidence"], [0.63, 0.97], rtol=1e-6)
    np.testing.assert_allclose(table["accuracy"], [0.5, 1])


def test_the_error_weighs_the_gaps_by_images() -> None:
    table = reliability(labels(0, 1, 0, 0, 0, 0), confident(0.62, 0.64, 0.95, 0.99, 0.97, 0.97))
    assert expected_calibration_error(table) == pytest.approx((2 * 0.13 + 4 * 0.03) / 6)


def test_certainty_that_is_right_has_no_error_and_one_that_is_wrong_has_all() -> None:
    assert expected_calibration_error(reliability(labels(0, 0), confident(1, 1))) == 0
    assert expected_calibration_error(reliability(labels(1, 1), confident(1, 1))) == 1


def test_bins_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(10, 0.2), size=3000).astype(np.float32)
    of_images = generator.integers(10, size=3000).astype(np.uint8)
    table = reliability(of_images, probabilities)
    right = probabilities.argmax(axis=1) == of_images
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=BINS)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence, rtol=1e-5)
