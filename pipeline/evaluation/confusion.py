"""Which classes are taken for which: tables by class name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pipeline.errors import InputError

Labels = npt.NDArray[np.integer]


def confusion_counts(actual: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Count images by actual class (row) and predicted class (column), int64 (classes, classes)."""
    return np.asarray(confusion_matrix(actual, predicted, labels=range(classes)), dtype=np.int64)


def confusion_table(actual: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Class names in the columns actual and predicted, one row an image: what DVC's confusion plot counts."""
    return pd.DataFrame({"actual": np.take(names, actual), "predicted": np.take(names, predicted)})


def read_confusion(path: Path, names: Sequence[str]) -> tuple[Labels, Labels]:
    """Read a `confusion_table` back as labels: actual and predicted, each int64 (n,).

    Raises InputError naming the file and what is wrong: no table, other columns, no row, a name that is no class.
    """
    try:
        # Names are text, even those that read as numbers or as missing values.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: expected a table, found: {error}") from error
    if list(table.columns) != ["actual", "predicted"] or table.empty:
        found = f"the columns {', '.join(table.columns)} and {len(table)} rows"
        raise InputError(f"{path}: found {found}, expected the columns actual, predicted and a row an image")
    labels = table.apply(pd.Index(names).get_indexer).to_numpy()
    unknown = np.argwhere(labels < 0)
    if unknown.size:
        row, column = unknown[0]
        found = f"{table.iat[row, column]!r} in line {row + 2}"
        raise InputError(f"{path}: found {found}, expected a class: {', '.join(names)}")
    return labels[:, 0], labels[:, 1]


def per_class_table(actual: Labels, predicted: Labels, names: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1 and support (number of images) of each class, one row a class.

    A quotient of nothing by nothing is 0, as in `pipeline.evaluation.scores`.
    """
    precision, recall, f1, support = precision_recall_fscore_support(
        actual, predicted, labels=range(len(names)), average=None, zero_division=0
    )
    return pd.DataFrame({"class": names, "precision": precision, "recall": recall, "f1": f1, "support": support})
