"""How good predictions are, in single numbers, counted by scikit-learn."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score


def scores(labels: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> dict[str, float]:
    """All scores of labels (n,) and probabilities (n, classes): those of `class_scores`, and the log loss in nats.

    The prediction is the most probable class. Probabilities are kept away from 0 and 1 by float32's resolution,
    1.2e-7, so that one confident mistake costs at most 15.9 nats.

    Arguments are taken as valid; `pipeline.evaluation.predictions` checks them when it reads them.
    """
    classes = probabilities.shape[1]
    loss = log_loss(labels, probabilities, labels=range(classes))
    return {**class_scores(labels, probabilities.argmax(axis=1), classes), "log_loss": float(loss)}


def class_scores(actual: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int) -> dict[str, float]:
    """Accuracy, and F1, precision and recall as means over the classes, from labels (n,) of `classes` classes.

    `macro` weighs the classes equally, `weighted` by their number of images. Where nothing was predicted as a class,
    its precision counts as 0; where a class has no image either, so do its recall and F1.
    """
    counted = {"accuracy": float(accuracy_score(actual, predicted))}
    for name, score in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        for average in ("macro", "weighted"):
            value = score(actual, predicted, labels=range(classes), average=average, zero_division=0)
            counted[f"{name}_{average}"] = float(value)
    return counted


def mean_scores(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over the seeds of each score."""
    return {name: float(np.mean([one[name] for one in of_seeds])) for name in of_seeds[0]}


def standard_deviations(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The standard deviations over the seeds of accuracy and macro F1: each one's `_std`, that of a sample.

    One seed has none.
    """
    if len(of_seeds) < 2:
        return {}
    return {f"{name}_std": float(np.std([one[name] for one in of_seeds], ddof=1)) for name in ("accuracy", "f1_macro")}
