"""Images whose label is doubtful, by confident learning."""

import numpy as np
import numpy.typing as npt
from cleanlab.filter import find_label_issues


def doubtful_labels(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Numbers of the images whose label is likely wrong, the most doubtful first, int64 (m,).

    Takes labels (n,) and the probabilities (n, classes) of a model that was not trained on these images. The method is
    that of Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels (2021), ranked by
    the probability of the given label.
    """
    found = find_label_issues(
        labels.astype(np.int64), probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(found, dtype=np.int64)
