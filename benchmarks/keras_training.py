"""Train once by plain Keras or by the pipeline, in this process alone; or describe the networks.

Reads a task as JSON from standard input and prints the result as JSON in the last line.
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
from pipeline.config import ROOT, find_model, load_pipeline
from pipeline.config_models import ModelConfig, Recipe
from pipeline.data.dataset import Dataset, Normalization, Split
from pipeline.io import read_npz
from pipeline.training.callbacks import Checkpoint
from pipeline.training.fit import fit, make_trainer
from pipeline.training.job import make_job
from pipeline.training.model import build_network
from pipeline.training.runtime import ExecutionPlan, hardware_info, seed_everything
from pipeline.training.sampler import batch_size_of

STEPS_PER_EXECUTION = 50


class EpochTimes(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Record the seconds of each epoch of plain `fit`."""

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
    """Also record the seconds of each epoch until its validation begins."""

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


def train_keras(config: ModelConfig, split: Split, classes: int, steps_per_execution: int) -> tuple[list[float], float]:
    """Train as a tutorial does.

    Args:
        config: The model.
        split: The images and labels.
        classes: Number of classes.
        steps_per_execution: Keras' argument of this name.

    Returns:
        The seconds of each epoch, and the loss of the last.
    """
    keras.utils.set_random_seed(config.seeds[0])
    images = split.images.astype(np.float32) / np.float32(255)
    model = build_network(config.architecture, images.shape[1:], classes, config.options)
    settings = config.optimizer.model_dump(exclude={"name"})
    model.compile(
        optimizer=keras.optimizers.get({"class_name": config.optimizer.name, "config": settings}),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    times = EpochTimes()
    batch_size = batch_size_of(config, len(images))
    history = model.fit(
        images, split.labels, batch_size=batch_size, epochs=config.epochs, verbose=0, callbacks=[times]
    ).history
    return times.seconds, history["loss"][-1]


def train_pipeline(
    name: str, config: ModelConfig, recipe: Recipe, split: Split
) -> tuple[list[float], float, ExecutionPlan]:
    """Train as the stage ``train`` does, validating on one image.

    Args:
        name: Name of the model.
        config: The model.
        recipe: Its recipe.
        split: The images and labels.

    Returns:
        The seconds of each epoch, the loss of the last, and the execution plan.
    """
    splits = {"train": split, "validation": Split(split.images[:1], split.labels[:1])}
    job = make_job(name, config, recipe, Dataset(splits, Normalization(offset=0, scale=255)), (), ROOT)
    keras.config.set_dtype_policy(job.plan.precision)
    seed_everything(config.seeds[0])
    with TemporaryDirectory() as folder, chdir(folder):  # where the live report goes
        times = TrainingTimes(Path("checkpoint.npz"))
        curves = fit(make_trainer(job.build_trainable(), job), job, config.seeds[0], times).curves
    return times.training_seconds, float(curves["loss"].iloc[-1]), job.plan


def describe(config: ModelConfig, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
    """Describe a network so that another framework can build the same.

    Args:
        config: The model.
        shape: Shape of an image, (height, width, channels).
        classes: Number of classes.

    Returns:
        The layers with their settings and shapes, and the number of parameters.
    """
    network = build_network(config.architecture, shape, classes, config.options)
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
    """Do the task.

    Its keys are ``framework`` (keras, keras_50, pipeline or describe), ``model`` or ``models``, ``epochs``, ``data``.
    """
    task = json.load(sys.stdin)
    arrays = read_npz(Path(task["data"]))
    split = Split(arrays["images"], arrays["labels"])
    if task["framework"] == "describe":
        shape = split.images.shape[1:]
        networks = {name: describe(find_model(name)[1], shape, task["classes"]) for name in task["models"]}
        print(json.dumps({"networks": networks, "machine": hardware_info()}, default=str))
        return
    layout, config = find_model(task["model"])
    config = config.model_copy(update={"epochs": task["epochs"]})
    precision = "float32"
    if task["framework"] == "pipeline":
        recipe = load_pipeline(layout.params).recipes[config.recipe]
        seconds, loss, plan = train_pipeline(task["model"], config, recipe, split)
        precision = plan.precision
    else:
        steps = STEPS_PER_EXECUTION if task["framework"] == "keras_50" else 1
        seconds, loss = train_keras(config, split, int(split.labels.max()) + 1, steps)
    print(json.dumps({"seconds": seconds, "loss": loss, "precision": precision, "peak_memory": peak_memory()}))


if __name__ == "__main__":
    main()
