"""Compile and fit a model, keeping the best epoch by validation accuracy."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import keras
import pandas as pd
from dvclive import Live
from tqdm.keras import TqdmCallback

from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.schema import ModelParams

STEPS_PER_EXECUTION = 50  # several batches a call: the same mathematics at a fraction of the overhead


@dataclass(frozen=True)
class Fit:
    """What a fit leaves beside the weights.

    `curves` has one row an epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy. The training figures are
    means over the epoch's batches, as they were met. `seconds_per_epoch` is the median, with the validation in it.
    """

    curves: pd.DataFrame
    best_epoch: int
    seconds_per_epoch: float


def with_normalization(network: keras.Model, normalization: Normalization) -> keras.Model:
    """Put the normalization before the network: the model takes raw pixels, 0 to 255, and cannot be fed others."""
    return keras.Sequential(
        [
            keras.Input(network.input_shape[1:]),
            keras.layers.Rescaling(1 / normalization.scale, offset=-normalization.offset / normalization.scale),
            network,
        ]
    )


def fit(name: str, model: keras.Model, params: ModelParams, train: Part, validation: Part) -> Fit:
    """Fit `model` on `train` and leave it with the weights of the epoch most accurate on `validation`.

    The earliest of equally accurate epochs is kept. ``dvclive/<name>/report.html`` shows the curves meanwhile.

    Raises InputError when the loss is no longer finite.
    """
    model.compile(
        optimizer=_optimizer(params),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION,
    )
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=params.epochs, restore_best_weights=True)
    finite = keras.callbacks.TerminateOnNaN(raise_error=True)
    with Live(f"dvclive/{name}", report="html", save_dvc_exp=False, dvcyaml=None) as live:
        live_curves = LiveCurves(live)
        try:
            history = model.fit(
                train.images,
                train.labels,
                batch_size=len(train.labels) if params.batch_size == "full" else params.batch_size,
                epochs=params.epochs,
                validation_data=(validation.images, validation.labels),
                callbacks=[best, finite, live_curves, TqdmCallback(verbose=0)],
                verbose=0,
            )
        except RuntimeError as error:
            if "NaN or Inf loss" not in str(error):
                raise
            epoch = len(live_curves.seconds) + 1
            raise InputError(
                f"models.{name}: found a loss that is not finite in epoch {epoch} ({error}), "
                f"expected one that falls: lower optimizer.learning_rate ({params.optimizer.learning_rate})"
            ) from error
    curves = pd.DataFrame(history.history)[["loss", "accuracy", "val_loss", "val_accuracy"]]
    curves.insert(0, "epoch", range(1, len(curves) + 1))
    return Fit(curves, best.best_epoch + 1, median(live_curves.seconds))


class LiveCurves(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Log each epoch to DVCLive, whose own callback needs TensorFlow whatever the backend; time the epochs too."""

    def __init__(self, live: Live, seconds_between_reports: float = 2.0) -> None:
        super().__init__()
        self.live = live
        self.seconds_between_reports = seconds_between_reports
        self.seconds: list[float] = []
        self.reported = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the figures; write the report now and then, since it is drawn anew from all epochs."""
        now = time.monotonic()
        self.seconds.append(now - self.started)
        self.live.step = epoch + 1
        for metric, value in (logs or {}).items():
            self.live.log_metric(
                metric.replace("val_", "validation/") if "val_" in metric else f"train/{metric}", value
            )
        if now - self.reported > self.seconds_between_reports:
            self.live.sync()
            self.reported = now


def _optimizer(params: ModelParams) -> keras.Optimizer:
    settings = params.optimizer.model_dump(exclude={"name"})
    return keras.optimizers.get({"class_name": params.optimizer.name, "config": settings})
