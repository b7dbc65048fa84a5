"""Whether predictions that claim 90 % are right in nine cases of ten."""

import numpy as np
import numpy.typing as npt
import pandas as pd

BINS = 15  # as in Guo et al., On Calibration of Modern Neural Networks (2017)


def reliability(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> pd.DataFrame:
    """Confidence against accuracy: one row a bin of equal width that holds images.

    Confidence is the probability of the predicted class. Takes labels (n,) and probabilities (n, classes). The columns
    are low and high (the bin's ends; a confidence on a border belongs below it), images, confidence and accuracy (the
    means over the bin's images).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = pd.DataFrame({"bin": number, "confidence": confidence, "accuracy": right}).groupby("bin")
    table = bins.mean().assign(images=bins.size())
    return table.assign(low=table.index / BINS, high=(table.index + 1) / BINS).reset_index(drop=True)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean over the images of the gap between confidence and accuracy in their bin of a `reliability` table."""
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float(np.average(gaps, weights=table["images"]))
