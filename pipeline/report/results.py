"""Load what the report shows of each model, from the files of its training and evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from pipeline.config import Layout, Pipeline
from pipeline.config_models import ModelConfig
from pipeline.evaluation.metrics import class_scores, confusion_counts, load_confusion, per_class_table, seed_scores
from pipeline.evaluation.predictions import Predictions, SeedPredictions, best_seed, load_predictions
from pipeline.io import InputError, read_json, require_output

CURVES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
DRAWN_EPOCHS = 120  # of a longer training so many are drawn, evenly on a log scale


class SeedRun(BaseModel):
    """The training of one seed, as the report shows it. The file may hold more."""

    model_config = ConfigDict(strict=True, frozen=True)

    seed: NonNegativeInt


class Run(BaseModel):
    """A training, as the report shows it. Epochs and times are those of the best seed. The file may hold more."""

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

    @property
    def machine(self) -> str:
        """Backend, device and processor, in words."""
        return f"{self.backend} on {self.device} ({self.processor}, {self.cores} cores)"


@dataclass(frozen=True)
class Result:
    """One model: where its files are, its settings, its predictions by split, the best seed's curves, its training."""

    layout: Layout
    name: str
    config: ModelConfig
    classes: Sequence[str]
    predictions: Mapping[str, SeedPredictions]
    curves: pd.DataFrame
    run: Run

    @cached_property
    def best_index(self) -> int:
        """The index of the best seed among the model's seeds."""
        return best_seed(self.predictions["validation"])

    @property
    def best(self) -> dict[str, Predictions]:
        """Predictions of the best seed, by split."""
        return {split: found.seeds[self.best_index] for split, found in self.predictions.items()}

    @cached_property
    def actual(self) -> npt.NDArray[np.uint8]:
        """The classes of the test images, uint8 (n,)."""
        return self.predictions["test"].labels

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The classes that the best seed predicts for the test images, int64 (n,)."""
        return self.best["test"].predicted

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Correct predictions of each seed for the test images, bool (seeds, n)."""
        return self.predictions["test"].correct

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Test images by actual class (row) and the best seed's prediction (column), int64 (classes, classes)."""
        return confusion_counts(self.actual, self.predicted, len(self.classes))

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """Precision, recall, F1 and support of the best seed on the test split, one row for each class."""
        return per_class_table(self.actual, self.predicted, self.classes)

    @cached_property
    def best_scores(self) -> dict[str, float]:
        """The best seed's scores on the test split."""
        return class_scores(self.actual, self.predicted, len(self.classes))

    @cached_property
    def test_scores(self) -> dict[str, float]:
        """The `seed_scores` of the test split, equal to those in the model's metrics."""
        return seed_scores(self.predictions["test"])

    @property
    def drawn_curves(self) -> pd.DataFrame:
        """The curves with at most about `DRAWN_EPOCHS` rows, the best epoch among them."""
        if len(self.curves) <= DRAWN_EPOCHS:
            return self.curves
        drawn = np.unique(np.geomspace(1, len(self.curves), DRAWN_EPOCHS).round())
        return self.curves[self.curves["epoch"].isin([*drawn, self.run.best_epoch])]


def by_accuracy(results: Sequence[Result]) -> list[int]:
    """Return the indices of the models, the most accurate on the test images first."""
    return sorted(range(len(results)), key=lambda index: -results[index].test_scores["accuracy"])


def load_results(pipelines: Iterable[tuple[Layout, Pipeline]], classes: Sequence[str]) -> list[Result]:
    """Load the models of several pipelines, in the order of their parameters.

    Raises InputError naming a file that is absent and the stage to run, or what is wrong in one.
    """
    return [
        load_result(layout, name, config, classes)
        for layout, pipeline in pipelines
        for name, config in pipeline.models.items()
    ]


def load_result(layout: Layout, name: str, config: ModelConfig, classes: Sequence[str]) -> Result:
    """Load a model's predictions, confusion, curves and run.

    Args:
        layout: Where the model's pipeline keeps its files.
        name: Name of the model.
        config: Settings of the model.
        classes: Class names by label.

    Returns:
        The model's result.

    Raises:
        InputError: A file is absent, damaged, or does not fit the others.
    """
    train, predictions = layout.stage("train", name), layout.predictions(name)
    found = load_predictions(predictions, len(classes), train)
    curves, run = require_output(layout.curves(name), train), require_output(layout.run(name), train)
    result = Result(layout, name, config, classes, found, _load_curves(curves), _load_run(run))
    _check_confusion(result)
    seeds = [one.seed for one in result.run.seeds]
    if len(seeds) != len(result.correct):
        raise InputError(f"{run}: found {len(seeds)} seeds, expected {len(result.correct)} as in {predictions}")
    if result.run.seed != (best := seeds[result.best_index]):
        found_seed = f"found seed {result.run.seed}, expected {best}"
        raise InputError(f"{run}: {found_seed}, the one with the best validation accuracy in {predictions}")
    epochs = len(result.curves)
    if result.run.epochs != epochs:
        raise InputError(f"{run}: found epochs {result.run.epochs}, expected {epochs} as in {curves}")
    if result.run.best_epoch > epochs:
        raise InputError(f"{run}: found best_epoch {result.run.best_epoch}, expected an epoch in {curves}")
    return result


def _check_confusion(result: Result) -> None:
    """Raise InputError unless the evaluation is of what the model predicts."""
    layout, stage = result.layout, result.layout.stage("evaluate", result.name)
    path = require_output(layout.evaluation(result.name) / "confusion.csv", stage)
    actual, predicted = load_confusion(path, result.classes)
    if not (np.array_equal(result.actual, actual) and np.array_equal(result.predicted, predicted)):
        predictions = layout.predictions(result.name)
        raise InputError(f"{path}: found other classes than in {predictions}; run `dvc repro {stage}`")


def _load_curves(path: Path) -> pd.DataFrame:
    try:
        with np.errstate(invalid="ignore"):  # pandas casts a number that is no integer's before it refuses it
            curves = pd.read_csv(path, usecols=CURVES, dtype=dict.fromkeys(CURVES, float) | {"epoch": int})
    except ValueError as error:
        raise InputError(f"{path}: expected numbers in the columns {', '.join(CURVES)}, found: {error}") from error
    if curves.empty or not np.isfinite(curves).all(axis=None):
        raise InputError(f"{path}: expected one row for each epoch and a finite number in each cell, found otherwise")
    if curves["epoch"].tolist() != list(range(1, len(curves) + 1)):
        raise InputError(f"{path}: found epochs {curves['epoch'].tolist()}, expected 1, 2, 3, … in order")
    return curves


def _load_run(path: Path) -> Run:
    try:
        return Run.model_validate(read_json(path))
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"]))
        missing = wrong["type"] == "missing"
        found, expected = ("nothing", "a value") if missing else (repr(wrong["input"]), wrong["msg"])
        expected = expected.removeprefix("Input should be ")
        raise InputError(f"{path}: {field}: found {found}, expected: {expected}") from error
