"""Train one model from its parameters, the fastest way that this machine has."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.catalogue import build
from pipeline.dataset.parts import Normalization, Part
from pipeline.params.recipes import Recipe
from pipeline.params.schema import ModelParams
from pipeline.training.batches import batch_size_of
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import describe, make_repeatable
from pipeline.training.execution import execution_for, set_up, usable_cores
from pipeline.training.fingerprint import fingerprint
from pipeline.training.fit import fit, with_normalization
from pipeline.training.mirror import mirror_averaged
from pipeline.training.predict import BATCH_SIZE, predict

CHECKPOINTS = Path("data/checkpoints")


@dataclass(frozen=True)
class Trained:
    """A model of raw pixels, its curves (a row an epoch), what it predicts, and what the run was."""

    model: keras.Model
    curves: pd.DataFrame
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    record: Mapping[str, int | float | str]


def train(
    name: str,
    params: ModelParams,
    recipe: Recipe,
    parts: Mapping[str, Part],
    normalization: Normalization,
    classes: int,
    files: Sequence[Path],
) -> Trained:
    """Train the entry `name` of ``models`` by its `recipe` on the parts train and validation, and predict every part.

    `files` hold the parts. While it trains, ``data/checkpoints/<name>.npz`` is what a killed training goes on from;
    `forget` it when the results are safe. Nothing may be computed before in this process: threads are set here.

    Raises InputError when the loss is no longer finite.
    """
    shape = parts["train"].images.shape[1:]

    def network() -> keras.Model:
        return build(params.architecture, shape, classes, params.options)

    cores = usable_cores()
    images = [len(data.labels) for data in parts.values()]
    execution = execution_for(network, batch_size_of(params, len(parts["train"].labels)), cores, [*images, BATCH_SIZE])
    set_up(execution, cores)
    make_repeatable(params.seed)
    trained = network()
    model = with_normalization(trained, normalization)
    device = describe() | asdict(execution)
    settings = {"params": params.model_dump(), "recipe": recipe.model_dump(), "device": device}
    checkpoint = Checkpoint(_checkpoint(name), fingerprint(files, settings))
    result = fit(name, params.seed, model, params, recipe, parts["train"], parts["validation"], execution, checkpoint)
    record: dict[str, Any] = {
        "parameters": trained.count_params(),
        "epochs": len(result.curves),
        "best_epoch": result.best_epoch,
        "seconds_per_epoch": median(result.seconds),
        "seconds": sum(result.seconds),
    }
    if execution.precision != "float32":  # what is kept computes alike on every device, and in ONNX
        keras.config.set_dtype_policy("float32")
        weights, model = model.get_weights(), with_normalization(network(), normalization)
        model.set_weights(weights)
    if recipe.test_time_mirror:
        model = mirror_averaged(model)
    probabilities = {part: predict(model, data.images, execution.shards) for part, data in parts.items()}
    return Trained(model, result.curves, probabilities, record | device)


def forget(name: str) -> None:
    """Remove the checkpoint of a training whose results are safe."""
    _checkpoint(name).unlink(missing_ok=True)


def _checkpoint(name: str) -> Path:
    return CHECKPOINTS / f"{name}.npz"
