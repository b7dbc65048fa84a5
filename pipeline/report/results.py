"""What the report knows of one trained model, read from the files of its training and evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt, ValidationError

from pipeline.artifacts import existing, read_json
from pipeline.errors import InputError
from pipeline.evaluation.confusion import confusion_counts, read_confusion
from pipeline.evaluation.intervals import bootstrap_intervals
from pipeline.evaluation.scores import class_scores

CURVES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


class Run(BaseModel):
    """What the report says of a training; the file may hold more."""

    model_config = ConfigDict(strict=True, frozen=True)

    backend: str
    device: str
    processor: str
    cores: PositiveInt
    parameters: PositiveInt
    epochs: PositiveInt
    best_epoch: PositiveInt
    seconds_per_epoch: NonNegativeFloat


@dataclass(frozen=True)
class Result:
    """One model: its test labels, actual and predicted, int64 (n,); its curves, one row an epoch; its training."""

    name: str
    classes: Sequence[str]
    actual: npt.NDArray[np.integer]
    predicted: npt.NDArray[np.integer]
    curves: pd.DataFrame
    run: Run

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Test images by actual class (row) and predicted class (column), int64 (classes, classes)."""
        return confusion_counts(self.actual, self.predicted, len(self.classes))

    @cached_property
    def test_scores(self) -> dict[str, float]:
        """The scores and intervals of the test part, equal to those in the model's metrics."""
        return class_scores(self.actual, self.predicted, len(self.classes)) | bootstrap_intervals(self.confusion)


def read_result(name: str, classes: Sequence[str], data: Path = Path("data")) -> Result:
    """Read one model's files in `data`: its confusion, curves and run.

    Raises InputError naming a file that is absent and the stage that makes it, or what is wrong in one.
    """
    confusion = existing(data / "evaluation" / name / "confusion.csv", f"evaluate@{name}")
    curves = existing(data / "curves" / f"{name}.csv", f"train@{name}")
    run = existing(data / "runs" / f"{name}.json", f"train@{name}")
    actual, predicted = read_confusion(confusion, classes)
    result = Result(name, classes, actual, predicted, _read_curves(curves), _read_run(run))
    epochs = len(result.curves)
    if result.run.epochs != epochs:
        raise InputError(f"{run}: found epochs {result.run.epochs}, expected {epochs} as in {curves}")
    if result.run.best_epoch > epochs:
        raise InputError(f"{run}: found best_epoch {result.run.best_epoch}, expected an epoch of {curves}")
    return result


def _read_curves(path: Path) -> pd.DataFrame:
    try:
        curves = pd.read_csv(path, usecols=CURVES, dtype=dict.fromkeys(CURVES, float) | {"epoch": int})
    except ValueError as error:
        raise InputError(f"{path}: expected numbers in the columns {', '.join(CURVES)}, found: {error}") from error
    if curves.empty or not np.isfinite(curves).all(axis=None):
        raise InputError(f"{path}: expected a row an epoch and a finite number in each cell, found otherwise")
    if curves["epoch"].tolist() != list(range(1, len(curves) + 1)):
        raise InputError(f"{path}: found epochs {curves['epoch'].tolist()}, expected them from 1 in their order")
    return curves


def _read_run(path: Path) -> Run:
    try:
        return Run.model_validate(read_json(path))
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"]))
        found = "nothing" if wrong["type"] == "missing" else repr(wrong["input"])
        raise InputError(f"{path}: {field}: found {found}, expected: {wrong['msg']}") from error
