"""Compile and fit a model, keeping the best epoch by validation accuracy."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Any

import keras
import pandas as pd
from dvclive import Live
from tqdm.keras import TqdmCallback

from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.schema import ModelParams
from pipeline.training.batches import Indices, epoch_blocks
from pipeline.training.live_curves import LiveCurves

BATCHES_PER_BLOCK = 50
VALIDATION_BATCH_SIZE = 1000


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
    trainer, batches, steps = _compiled(model, params, train)
    best = keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=params.epochs, restore_best_weights=True)
    finite = keras.callbacks.TerminateOnNaN(raise_error=True)
    with Live(f"dvclive/{name}", report="html", save_dvc_exp=False, dvcyaml=None) as live:
        live_curves = LiveCurves(live)
        try:
            history = trainer.fit(
                batches,
                steps_per_epoch=steps,
                epochs=params.epochs,
                shuffle=False,
                validation_data=(validation.images, validation.labels),
                validation_batch_size=VALIDATION_BATCH_SIZE,
                callbacks=[best, finite, live_curves, TqdmCallback(verbose=0)],
                verbose=0,
            )
        except RuntimeError as error:
            if "NaN or Inf loss" not in str(error):
                raise
            raise InputError(
                f"models.{name}: found a loss that is not finite in epoch {len(live_curves.seconds) + 1}, expected one "
                f"that falls; optimizer.learning_rate {params.optimizer.learning_rate} may be too high"
            ) from error
    curves = pd.DataFrame(history.history)[["loss", "accuracy", "val_loss", "val_accuracy"]]
    curves.insert(0, "epoch", range(1, len(curves) + 1))
    return Fit(curves, best.best_epoch + 1, median(live_curves.seconds))


def _compiled(model: keras.Model, params: ModelParams, train: Part) -> tuple[keras.Model, Any, int]:
    """The model to fit, the batches of all epochs one after another, and how many of these make an epoch.

    Any backend trains as Keras does it, each on the same batches; TensorFlow loops over many at a time on the device.
    """
    images = len(train.labels)
    batch_size = images if params.batch_size == "full" else min(params.batch_size, images)

    def blocks(batches_per_block: int, epochs: int = params.epochs) -> Iterator[Indices]:
        arguments = (images, batch_size, params.seed)
        return chain.from_iterable(epoch_blocks(*arguments, epoch, batches_per_block) for epoch in range(epochs))

    settings = params.optimizer.model_dump(exclude={"name"})
    optimizer = keras.optimizers.get({"class_name": params.optimizer.name, "config": settings})
    losses = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    if keras.backend.backend() != "tensorflow":
        model.compile(optimizer, **losses)
        pairs = ((train.images[indices], train.labels[indices]) for (indices,) in blocks(1))
        return model, pairs, len(list(blocks(1, epochs=1)))

    from pipeline.training.device_loop import DeviceLoop, index_blocks

    loop = DeviceLoop(model, train)
    loop.compile(optimizer, **losses)
    loop.create_variables()
    return loop, index_blocks(lambda: blocks(BATCHES_PER_BLOCK)), len(list(blocks(BATCHES_PER_BLOCK, epochs=1)))
