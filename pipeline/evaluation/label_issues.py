"""Find images that are probably mislabelled, by confident learning."""

import warnings

import cleanlab.filter
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.predictions import Predictions


def find_label_issues(predictions: Predictions) -> npt.NDArray[np.int64]:
    """Return the indices of images whose label is probably wrong, the least probable label first, int64 (m,).

    The predictions must be of a model that was not trained on these images. The method is confident learning
    (Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, 2021), ranked by the
    probability of the given label.

    Raises ValueError if all images have the same label: the method compares classes with each other.
    """
    if len(np.unique(predictions.labels)) < 2:
        raise ValueError("all labels are equal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues")  # in classes with hardly any images
        found = cleanlab.filter.find_label_issues(
            predictions.labels.astype(np.int64),
            predictions.probabilities,
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    return np.asarray(found, dtype=np.int64)
