"""What the report knows of one model, read from the files of its training and evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from pipeline.artifacts import existing, read_json
from pipeline.errors import InputError
from pipeline.evaluation.confusion import confusion_counts, read_confusion
from pipeline.evaluation.intervals import bootstrap_intervals
from pipeline.evaluation.kinds import MODEL, Kind
from pipeline.evaluation.predictions import Predictions, SeedPredictions, kept_seed, read_predictions
from pipeline.evaluation.scores import class_scores, mean_scores, standard_deviations

CURVES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


class SeedRun(BaseModel):
    """What the report says of the training of one seed; the file may hold more."""

    model_config = ConfigDict(strict=True, frozen=True)

    seed: NonNegativeInt


class Run(BaseModel):
    """What the report says of a training, its length that of the kept seed; the file may hold more."""

    model_config = ConfigDict(strict=True, frozen=True)

    backend: str
    device: str
    processor: str
    cores: PositiveInt
    parameters: PositiveInt
    epochs: PositiveInt
    best_epoch: PositiveInt
    seconds_per_epoch: NonNegativeFloat
    seed: NonNegativeInt
    seeds: Annotated[list[SeedRun], Field(min_length=1)]


@dataclass(frozen=True)
class Result(ABC):
    """One of what is compared, and its kind: what its seeds predict, by part."""

    name: str
    classes: Sequence[str]
    kind: Kind
    predictions: Mapping[str, SeedPredictions]

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Weights of all layers."""

    @property
    @abstractmethod
    def seconds_per_epoch(self) -> float:
        """How long training takes."""

    @cached_property
    def kept_place(self) -> int:
        """The place of the kept seed among the model's seeds."""
        return kept_seed(self.predictions["validation"])

    @property
    def kept(self) -> dict[str, Predictions]:
        """What the kept seed predicts, by part."""
        return {part: found.seeds[self.kept_place] for part, found in self.predictions.items()}

    @cached_property
    def actual(self) -> npt.NDArray[np.uint8]:
        """The classes of the test images, uint8 (n,)."""
        return self.predictions["test"].labels

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The classes that the kept seed gives them, int64 (n,)."""
        return self.kept["test"].predicted

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which test images each seed gets right, bool (seeds, n)."""
        return np.asarray(self.predictions["test"].predicted == self.actual)

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Test images by actual class (row) and the kept seed's prediction (column), int64 (classes, classes)."""
        return confusion_counts(self.actual, self.predicted, len(self.classes))

    @cached_property
    def kept_scores(self) -> dict[str, float]:
        """The kept seed's scores of the test part."""
        return class_scores(self.actual, self.predicted, len(self.classes))

    @cached_property
    def test_scores(self) -> dict[str, float]:
        """Means over the seeds, intervals and deviations of the test part, equal to those in the model's metrics."""
        test, classes = self.predictions["test"], len(self.classes)
        of_seeds = [class_scores(self.actual, seed.predicted, classes) for seed in test.seeds]
        intervals = bootstrap_intervals(self.actual, test.predicted, classes)
        return mean_scores(of_seeds) | intervals | standard_deviations(of_seeds)


@dataclass(frozen=True)
class TrainedResult(Result):
    """A model or a student: the curves of the kept seed, one row an epoch, and its training."""

    curves: pd.DataFrame
    run: Run

    @property
    def parameters(self) -> int:
        """Those of its network."""
        return self.run.parameters

    @property
    def seconds_per_epoch(self) -> float:
        """Those of the kept seed, the median."""
        return self.run.seconds_per_epoch


def trained(results: Iterable[Result]) -> list[TrainedResult]:
    """Those that a network was trained for."""
    return [result for result in results if isinstance(result, TrainedResult)]


def read_result(name: str, classes: Sequence[str], data: Path = Path("data"), kind: Kind = MODEL) -> TrainedResult:
    """Read a model's or a student's files in `data`: its predictions, confusion, curves and run.

    Raises InputError naming a file that is absent and the stage that makes it, or what is wrong in one.
    """
    found = read_predictions_of(name, classes, data, kind)
    predictions = kind.predictions(name, data)
    curves = existing(data / "curves" / f"{name}.csv", f"{kind.maker}@{name}")
    run = existing(data / "runs" / f"{name}.json", f"{kind.maker}@{name}")
    result = TrainedResult(name, classes, kind, found, _read_curves(curves), _read_run(run))
    check_confusion(result, data)
    seeds = [one.seed for one in result.run.seeds]
    if len(seeds) != len(result.right):
        raise InputError(f"{run}: found {len(seeds)} seeds, expected {len(result.right)} as in {predictions}")
    if result.run.seed != (best := seeds[result.kept_place]):
        raise InputError(
            f"{run}: found seed {result.run.seed}, expected {best}, the best on validation in {predictions}"
        )
    epochs = len(result.curves)
    if result.run.epochs != epochs:
        raise InputError(f"{run}: found epochs {result.run.epochs}, expected {epochs} as in {curves}")
    if result.run.best_epoch > epochs:
        raise InputError(f"{run}: found best_epoch {result.run.best_epoch}, expected an epoch of {curves}")
    return result


def read_predictions_of(name: str, classes: Sequence[str], data: Path, kind: Kind) -> dict[str, SeedPredictions]:
    """Read what `name`, of this kind, predicts.

    Raises InputError naming the file if it is absent, and the stage that makes it, or what is wrong in it.
    """
    return read_predictions(kind.predictions(name, data), len(classes), kind.maker)


def check_confusion(result: Result, data: Path) -> None:
    """Raise InputError unless the evaluation in `data` is of what `result` predicts."""
    stage = f"{result.kind.evaluator}@{result.name}"
    path = existing(data / "evaluation" / result.name / "confusion.csv", stage)
    actual, predicted = read_confusion(path, result.classes)
    if not (np.array_equal(result.actual, actual) and np.array_equal(result.predicted, predicted)):
        predictions = result.kind.predictions(result.name, data)
        raise InputError(f"{path}: found other classes than in {predictions}; `dvc repro {stage}` makes it")


def _read_curves(path: Path) -> pd.DataFrame:
    try:
        with np.errstate(invalid="ignore"):  # pandas casts a number that is no integer's before it refuses it
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
