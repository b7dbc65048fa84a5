"""Scores, calibration, confusion counts and the Pareto front."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from pipeline.evaluation.bootstrap import bootstrap_intervals
from pipeline.evaluation.predictions import Predictions, SeedPredictions, best_seed
from pipeline.io import InputError

# What `dvc metrics diff` compares; `ensemble_accuracy` is there for several seeds only.
HEADLINE = {
    "test": ["accuracy", "accuracy_low", "f1_macro", "f1_macro_low", "log_loss", "ensemble_accuracy"],
    "validation": ["accuracy", "f1_macro", "log_loss"],
}
CALIBRATION_BINS = 15  # as in Guo et al., On Calibration of Modern Neural Networks (2017)

Labels = npt.NDArray[np.integer]


def all_scores(predictions: Mapping[str, SeedPredictions]) -> dict[str, Any]:
    """Compute the number of seeds, and the scores of each split averaged over the seeds.

    The test split also has what `seed_scores` adds, and `calibration_error`, that of the best seed.
    """
    found: dict[str, Any] = {"seeds": len(predictions["test"].probabilities)}
    for split, of_split in predictions.items():
        found[split] = mean_scores([scores(seed) for seed in of_split.seeds])
    best = predictions["test"].seeds[best_seed(predictions["validation"])]
    calibration = {"calibration_error": expected_calibration_error(reliability(best))}
    found["test"] |= seed_scores(predictions["test"]) | calibration
    return found


def seed_scores(predictions: SeedPredictions) -> dict[str, float]:
    """Compute `class_scores` averaged over the seeds, their 95 % intervals and, for several seeds, two more.

    These are the standard deviations between seeds, and `ensemble_accuracy`: the accuracy of the seeds' mean
    probabilities.
    """
    seeds, _, classes = predictions.probabilities.shape
    of_seeds = [class_scores(predictions.labels, predicted, classes) for predicted in predictions.predicted]
    found = mean_scores(of_seeds) | bootstrap_intervals(predictions.labels, predictions.predicted, classes)
    if seeds > 1:
        found |= standard_deviations(of_seeds)
        found["ensemble_accuracy"] = float(np.mean(predictions.ensemble.predicted == predictions.labels))
    return found


def headline(found: Mapping[str, Any]) -> dict[str, Any]:
    """Select the numbers that are kept in git from `all_scores`."""
    chosen = {
        split: {name: found[split][name] for name in names if name in found[split]} for split, names in HEADLINE.items()
    }
    return {"seeds": found["seeds"], **chosen}


def scores(predictions: Predictions) -> dict[str, float]:
    """Compute all scores of one trained model: `class_scores`, and the log loss in nats.

    The predicted class is the most probable one. Probabilities are kept away from 0 and 1 by float32's resolution,
    1.2e-7, so one confident mistake costs at most 15.9 nats.
    """
    classes = predictions.probabilities.shape[1]
    loss = log_loss(predictions.labels, predictions.probabilities, labels=range(classes))
    return {**class_scores(predictions.labels, predictions.predicted, classes), "log_loss": float(loss)}


def class_scores(actual: Labels, predicted: Labels, classes: int) -> dict[str, float]:
    """Compute accuracy, and F1, precision and recall averaged over the classes.

    `macro` weighs the classes equally, `weighted` by their number of images. The precision of a class that is never
    predicted counts as 0. Recall and F1 of a class without images count as 0 too.

    Args:
        actual: Labels (n,).
        predicted: Predicted classes (n,).
        classes: Number of classes.

    Returns:
        Each score by its name.
    """
    counted = {"accuracy": float(accuracy_score(actual, predicted))}
    for name, score in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        for average in ("macro", "weighted"):
            value = score(actual, predicted, labels=range(classes), average=average, zero_division=0)
            counted[f"{name}_{average}"] = float(value)
    return counted


def mean_scores(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Compute the mean of each score over the seeds."""
    return {name: float(np.mean([one[name] for one in of_seeds])) for name in of_seeds[0]}


def standard_deviations(of_seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Compute the sample standard deviations of accuracy and macro F1 over several seeds: each one's `_std`."""
    return {f"{name}_std": float(np.std([one[name] for one in of_seeds], ddof=1)) for name in ("accuracy", "f1_macro")}


def reliability(predictions: Predictions) -> pd.DataFrame:
    """Tabulate confidence against accuracy: one row for each bin of equal width that holds images.

    Confidence is the probability of the predicted class. The columns are low and high (the bin's ends; a confidence on
    a border belongs to the lower bin), images, confidence and accuracy (the means over the bin's images).
    """
    confidence = predictions.probabilities.max(axis=1).astype(np.float64)
    correct = predictions.predicted == predictions.labels
    number = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    bins = pd.DataFrame({"bin": number, "confidence": confidence, "accuracy": correct}).groupby("bin")
    table = bins.mean().assign(images=bins.size())
    ends = {"low": table.index / CALIBRATION_BINS, "high": (table.index + 1) / CALIBRATION_BINS}
    return table.assign(**ends).reset_index(drop=True)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Average the gap between confidence and accuracy over the images of a `reliability` table."""
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float(np.average(gaps, weights=table["images"]))


def confusion_counts(actual: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Count images by actual class (row) and predicted class (column).

    Args:
        actual: Labels (n,).
        predicted: Predicted classes (n,).
        classes: Number of classes.

    Returns:
        Counts, int64 (classes, classes).
    """
    return np.asarray(confusion_matrix(actual, predicted, labels=range(classes)), dtype=np.int64)


def confusion_table(actual: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Build the table that DVC's confusion plot counts: one row for each image, with two class names.

    Args:
        actual: Labels (n,).
        predicted: Predicted classes (n,).
        names: Class names by label.

    Returns:
        The columns actual and predicted.
    """
    return pd.DataFrame({"actual": np.take(names, actual), "predicted": np.take(names, predicted)})


def load_confusion(path: Path, names: Sequence[str]) -> tuple[Labels, Labels]:
    """Load a `confusion_table` as labels: actual and predicted, each int64 (n,).

    Raises InputError if the file is no table, has other columns, no row, or a name that is no class.
    """
    try:
        # Names are text, even those that read as numbers or as missing values.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: expected a table, found: {error}") from error
    if list(table.columns) != ["actual", "predicted"] or table.empty:
        found = f"the columns {', '.join(table.columns)} and {len(table)} rows"
        raise InputError(f"{path}: found {found}, expected the columns actual, predicted and a row for each image")
    labels = table.apply(pd.Index(names).get_indexer).to_numpy()
    unknown = np.argwhere(labels < 0)
    if unknown.size:
        row, column = unknown[0]
        found = f"{table.iat[row, column]!r} in line {row + 2}"
        raise InputError(f"{path}: found {found}, expected a class: {', '.join(names)}")
    return labels[:, 0], labels[:, 1]


def per_class_table(actual: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Tabulate precision, recall, F1 and support (number of images), one row for each class.

    A quotient of 0 and 0 is 0, as in `class_scores`.

    Args:
        actual: Labels (n,).
        predicted: Predicted classes (n,).
        names: Class names by label.

    Returns:
        The columns class, precision, recall, f1 and support.
    """
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=range(len(names)), average=None, zero_division=0
    )
    return pd.DataFrame({"class": names, "precision": precision, "recall": recall, "f1": f1, "support": support})


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Return the indices of the items that no other dominates, the cheapest first.

    One item dominates another if it costs no more, gains no less, and is better in at least one of the two. Items that
    are equal in both do not dominate each other.

    >>> pareto_front([10, 20, 20, 30], [0.8, 0.9, 0.7, 0.85])
    [0, 1]
    """
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda index: (costs[index], -gains[index])):
        last = front[-1] if front else None
        equal = last is not None and (costs[index], gains[index]) == (costs[last], gains[last])
        if last is None or gains[index] > gains[last] or equal:
            front.append(index)
    return front
