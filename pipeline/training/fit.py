"""Compile and fit a model, keeping the best epoch by validation accuracy."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from tqdm.keras import TqdmCallback

from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.recipes import Recipe
from pipeline.params.schema import ModelParams
from pipeline.training.augmentation import Augmentation
from pipeline.training.batches import batch_size_of
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.distillation import Distillation
from pipeline.training.execution import Execution
from pipeline.training.live_curves import LiveCurves, live_report
from pipeline.training.loop import Loop
from pipeline.training.optimizers import make_optimizer
from pipeline.training.order import Order
from pipeline.training.predict import BATCH_SIZE
from pipeline.training.weight_averaging import EvaluateAverages

NUMBERED = "sparse_categorical_crossentropy"  # the loss of labels that are numbers


@dataclass(frozen=True)
class Fit:
    """What a fit leaves beside the weights.

    `curves` has one row an epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy. The training figures are
    means over the epoch's batches, as they were met. `seconds` has one figure an epoch, with the validation in it.
    """

    curves: pd.DataFrame
    best_epoch: int
    seconds: list[float]


class StopAtDivergence(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Raise InputError as soon as the loss is no longer finite, naming epoch and batch, both from 1."""

    def __init__(self, entry: str, seed: int, learning_rate: float) -> None:
        super().__init__()
        self.entry = entry
        self.seed = seed
        self.learning_rate = learning_rate
        self.epoch = self.finite_before = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch + 1
        self.finite_before = self._finite_batches(0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the mean loss of the epoch so far, which one bad batch spoils for good."""
        if not math.isfinite((logs or {})["loss"]):
            number = self._finite_batches(batch) - self.finite_before + 1
            raise InputError(
                f"{self.entry}: found a loss that is not finite in epoch {self.epoch}, batch {number} of seed "
                f"{self.seed}, expected one that falls; optimizer.learning_rate {self.learning_rate} may be too high"
            )

    def _finite_batches(self, batch: int) -> int:
        """Batches before the first bad one: counted on the device where it loops, else the batch is known."""
        return int(getattr(self.model, "finite_batches", batch))


def with_normalization(network: keras.Model, normalization: Normalization) -> keras.Model:
    """Put the normalization before the network: the model takes raw pixels, 0 to 255, and cannot be fed others."""
    return keras.Sequential(
        [
            keras.Input(network.input_shape[1:]),
            keras.layers.Rescaling(
                1 / normalization.scale, offset=-normalization.offset / normalization.scale, dtype="float32"
            ),
            network,
        ]
    )


def fit(
    name: str,
    seed: int,
    model: keras.Model,
    params: ModelParams,
    recipe: Recipe,
    train: Part,
    validation: Part,
    execution: Execution,
    checkpoint: Checkpoint,
    distillation: Distillation | None = None,
) -> Fit:
    """Fit `model` on `train` and leave it with the weights of the epoch most accurate on `validation`.

    The earliest of equally accurate epochs is kept. ``dvclive/<name>/<seed>/report.html`` shows the curves meanwhile.
    A training that was killed goes on from its `checkpoint`. If `recipe` averages weights, those are evaluated and
    left in `model`; answers are evaluated for the images alone, not for the views of `averaged_over_views`. With
    `distillation`, a teacher's answers count besides the labels; on `validation`, labels alone.

    Raises InputError when the loss is no longer finite.
    """
    augmentation = Augmentation(recipe, model.input_shape[1:], model.output_shape[-1], distillation is not None)
    loss, accuracy = _objective(augmentation, distillation)
    if distillation is not None:
        train = Part(train.images, distillation.targets(train.labels, recipe.label_smoothing))
    if params.batch_size == "full" and not augmentation.changes_images:  # the same batch every time: normalized once
        normalization, model = model.layers
        train, validation = (Part(normalization(part.images), part.labels) for part in (train, validation))
    order = Order(augmentation, seed, len(train.labels), batch_size_of(params, len(train.labels)), params.epochs)
    loop = _loop(model, train, augmentation, execution)
    fused = keras.backend.backend() == "tensorflow" and not execution.xla
    loop.compile(
        make_optimizer(params.optimizer, recipe, params.epochs * order.batches, fused),
        loss=loss,
        metrics=[accuracy],
    )
    loop.create_variables()
    done = checkpoint.restore(loop)
    if done:
        print(f"goes on after epoch {done}, from {checkpoint.path}")
    with live_report(Path(f"dvclive/{name}/{seed}"), resume=done > 0) as live:
        loop.fit(
            loop.batches(lambda: order.blocks(done, execution.batches_per_call), order.whole_batch_size),
            steps_per_epoch=order.blocks_per_epoch(execution.batches_per_call),
            initial_epoch=done,
            epochs=params.epochs,
            shuffle=False,
            validation_data=loop.validation_data(
                validation.images, validation.labels if loss == NUMBERED else augmentation.one_hot(validation.labels)
            ),
            validation_batch_size=BATCH_SIZE,
            callbacks=[
                StopAtDivergence(
                    f"{'students' if distillation else 'models'}.{name}", seed, params.optimizer.learning_rate
                ),
                checkpoint,
                *([EvaluateAverages()] if recipe.averaging is not None else []),
                LiveCurves(live),
                TqdmCallback(verbose=0),
            ],
            verbose=0,
        )
    return Fit(checkpoint.curves, checkpoint.best_epoch, checkpoint.seconds)


def _objective(augmentation: Augmentation, distillation: Distillation | None) -> tuple[Any, Any]:
    """What is minimized, and the accuracy that is told, as `compile` takes them."""
    if distillation is not None:
        return distillation.loss, distillation.accuracy
    return "categorical_crossentropy" if augmentation.softens_labels else NUMBERED, "accuracy"


def _loop(model: keras.Model, train: Part, augmentation: Augmentation, execution: Execution) -> Loop:
    """The loop of this backend: over many batches on the device, where it can."""
    backend = keras.backend.backend()
    if backend == "tensorflow" and execution.devices > 1:
        from pipeline.training import mirrored_loop_tensorflow

        return mirrored_loop_tensorflow.MirroredLoop(model, train, augmentation)
    if backend == "tensorflow":
        from pipeline.training import device_loop_tensorflow

        return device_loop_tensorflow.DeviceLoop(model, train, augmentation, execution.shards, execution.xla)
    if backend == "jax":
        from pipeline.training import device_loop_jax

        return device_loop_jax.DeviceLoop(model, train, augmentation)
    return Loop(model, train, augmentation)
