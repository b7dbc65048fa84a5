"""One training by plain Keras or by the pipeline, in this process alone; or a description of the networks.

Reads a task as JSON from standard input and writes what it found as JSON, the last line of its output.
"""

import json
import sys
import time
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from benchmarks.memory import peak_memory
from pipeline.artifacts import read_npz
from pipeline.catalogue import build
from pipeline.dataset.parts import Normalization, Part
from pipeline.params.reading import model_named, read_params
from pipeline.params.recipes import Recipe
from pipeline.params.schema import ModelParams
from pipeline.training.batches import batch_size_of
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import describe, make_repeatable
from pipeline.training.execution import scope_of
from pipeline.training.fit import fit
from pipeline.training.train import set_up_for, to_train


class EpochTimes(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Seconds of each epoch of plain `fit`."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self.started)


class TrainingTimes(Checkpoint):
    """The pipeline's checkpoint, which also notes the seconds of each epoch until its validation begins."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "benchmark")
        self.training_seconds: list[float] = []
        self.begun = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        super().on_epoch_begin(epoch, logs)
        self.begun = time.perf_counter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stop it."""
        self.training_seconds.append(time.perf_counter() - self.begun)


def plain_keras(params: ModelParams, part: Part, classes: int) -> tuple[list[float], float]:
    """Train as a tutorial does; gives the seconds of each epoch and the loss of the last."""
    keras.utils.set_random_seed(params.seeds[0])
    images = part.images.astype(np.float32) / np.float32(255)
    model = build(params.architecture, images.shape[1:], classes, params.options)
    settings = params.optimizer.model_dump(exclude={"name"})
    model.compile(
        optimizer=keras.optimizers.get({"class_name": params.optimizer.name, "config": settings}),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    times = EpochTimes()
    batch_size = batch_size_of(params, len(images))
    history = model.fit(
        images, part.labels, batch_size=batch_size, epochs=params.epochs, verbose=0, callbacks=[times]
    ).history
    return times.seconds, history["loss"][-1]


def by_pipeline(name: str, params: ModelParams, recipe: Recipe, part: Part, classes: int) -> tuple[list[float], float]:
    """Train as ``train@<name>`` does, validating on one image; gives the same."""
    network, execution = set_up_for(params, recipe, {"train": part}, classes)
    seed = params.seeds[0]
    make_repeatable(seed)
    one_image = Part(part.images[:1], part.labels[:1])
    with TemporaryDirectory() as folder, chdir(folder), scope_of(execution):  # the folder is where the live report goes
        model = to_train(network, Normalization(offset=0, scale=255), execution)
        times = TrainingTimes(Path("checkpoint.npz"))
        curves = fit(name, seed, model, params, recipe, part, one_image, execution, times).curves
    return times.training_seconds, float(curves["loss"].iloc[-1])


def described(params: ModelParams, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
    """Layers with their settings and shapes, and parameters: what another framework makes the same network from."""
    network = build(params.architecture, shape, classes, params.options)
    layers = [
        {
            "class": type(layer).__name__,
            "config": layer.get_config(),
            "weights": [list(weight.shape) for weight in layer.trainable_weights],
            "input_shape": list(keras.tree.flatten(layer.input)[0].shape),  # a sum has several inputs of one shape
            "output_shape": list(layer.output.shape),
        }
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    return {"layers": layers, "parameters": network.count_params()}


def main() -> None:
    """Do the task: ``way`` (keras, pipeline or describe), ``model`` or ``models``, ``epochs``, ``data``."""
    task = json.load(sys.stdin)
    everything = read_params()
    models = everything.models
    arrays = read_npz(Path(task["data"]))
    part = Part(arrays["images"], arrays["labels"])
    if task["way"] == "describe":
        networks = {name: described(models[name], part.images.shape[1:], task["classes"]) for name in task["models"]}
        found = {"networks": networks, "machine": describe()}
    else:
        params = model_named(everything, task["model"]).model_copy(update={"epochs": task["epochs"]})
        if task["way"] == "keras":
            seconds, loss = plain_keras(params, part, task["classes"])
        else:
            seconds, loss = by_pipeline(task["model"], params, everything.recipes[params.recipe], part, task["classes"])
        found = {"seconds": seconds, "loss": loss, "peak_memory": peak_memory()}
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
