"""Compile and fit a model, keeping the best epoch by validation accuracy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import keras
import pandas as pd
from dvclive import Live
from tqdm.keras import TqdmCallback

from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.schema import ModelParams
from pipeline.training.batches import Indices, batch_size_of, epoch_blocks
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.execution import Execution
from pipeline.training.live_curves import LiveCurves
from pipeline.training.optimizers import make_optimizer
from pipeline.training.predict import BATCH_SIZE


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

    def __init__(self, name: str, seed: int, learning_rate: float) -> None:
        super().__init__()
        self.name = name
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
                f"models.{self.name}: found a loss that is not finite in epoch {self.epoch}, batch {number} of seed "
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
    train: Part,
    validation: Part,
    execution: Execution,
    checkpoint: Checkpoint,
) -> Fit:
    """Fit `model` on `train` and leave it with the weights of the epoch most accurate on `validation`.

    The earliest of equally accurate epochs is kept. ``dvclive/<name>/<seed>/report.html`` shows the curves meanwhile.
    A training that was killed goes on from its `checkpoint`.

    Raises InputError when the loss is no longer finite.
    """
    if params.batch_size == "full":  # the same batch every time: it is normalized once
        normalization, model = model.layers
        train, validation = (Part(normalization(part.images), part.labels) for part in (train, validation))
    trainer = _compiled(model, params, train, execution)
    done = checkpoint.restore(trainer)
    if done:
        print(f"goes on after epoch {done}, from {checkpoint.path}")
    batches, steps = _batches(params, seed, train, execution.batches_per_call, done)
    with Live(f"dvclive/{name}/{seed}", report="html", save_dvc_exp=False, dvcyaml=None, resume=done > 0) as live:
        trainer.fit(
            batches,
            steps_per_epoch=steps,
            initial_epoch=done,
            epochs=params.epochs,
            shuffle=False,
            validation_data=(validation.images, validation.labels),
            validation_batch_size=BATCH_SIZE,
            callbacks=[
                StopAtDivergence(name, seed, params.optimizer.learning_rate),
                checkpoint,
                LiveCurves(live),
                TqdmCallback(verbose=0),
            ],
            verbose=0,
        )
    return Fit(checkpoint.curves, checkpoint.best_epoch, checkpoint.seconds)


def _compiled(model: keras.Model, params: ModelParams, train: Part, execution: Execution) -> keras.Model:
    """The model to fit: one around `model` that loops over many batches on the device, where the backend can."""
    backend = keras.backend.backend()
    optimizer = make_optimizer(params.optimizer, fused=backend == "tensorflow" and not execution.xla)
    losses = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    if backend == "tensorflow":
        from pipeline.training import device_loop_tensorflow
        from pipeline.training.shards import Sharded

        whole = model if execution.shards == 1 else Sharded(model, execution.shards)
        loop = device_loop_tensorflow.DeviceLoop(whole, train.images, train.labels, execution.xla)
    elif backend == "jax":
        from pipeline.training import device_loop_jax

        loop = device_loop_jax.DeviceLoop(model, train)
    else:
        model.compile(optimizer, **losses)
        return model
    loop.compile(optimizer, **losses)
    loop.create_variables()
    return loop


def _batches(params: ModelParams, seed: int, train: Part, batches_per_call: int, done: int) -> tuple[Any, int]:
    """The batches of all epochs after `done`, one epoch after another, and how many pieces make an epoch.

    Any backend meets the same images in the same order; a `DeviceLoop` takes indices, many batches at a time.
    """
    backend = keras.backend.backend()
    images = len(train.labels)
    batch_size = batch_size_of(params, images)

    def epoch(number: int) -> Iterator[Indices]:
        return epoch_blocks(images, batch_size, seed, number, batches_per_call)

    def blocks() -> Iterator[Indices]:
        first = min(done, params.epochs - 1)  # Keras looks at a batch even where no epoch is left
        return chain.from_iterable(map(epoch, range(first, params.epochs)))

    steps = sum(1 for _ in epoch(0))
    if backend == "tensorflow":
        from pipeline.training import device_loop_tensorflow

        return device_loop_tensorflow.index_blocks(blocks, None if images % batch_size else batch_size), steps
    if backend == "jax":
        from pipeline.training import device_loop_jax

        return device_loop_jax.index_blocks(blocks()), steps
    return ((train.images[indices], train.labels[indices]) for (indices,) in blocks()), steps
