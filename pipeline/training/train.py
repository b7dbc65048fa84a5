"""Train one model from its parameters, the fastest way that this machine has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import monotonic
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
from pipeline.training.distillation import Distillation
from pipeline.training.execution import Execution, execution_for, scope_of, set_up, usable_cores
from pipeline.training.fingerprint import fingerprint
from pipeline.training.fit import Fit, fit, with_normalization
from pipeline.training.predict import BATCH_SIZE, predict
from pipeline.training.views import averaged_over_views

CHECKPOINTS = Path("data/checkpoints")


@dataclass(frozen=True)
class Trained:
    """A model of raw pixels and its curves, a row an epoch: those of the seed most accurate on the validation part.

    `probabilities` are float32 (seeds, n, classes) for each part, in the order of the seeds in the parameters;
    `record` says what the run was.
    """

    model: keras.Model
    curves: pd.DataFrame
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class _OfSeed:
    seed: int
    model: keras.Model
    fit: Fit
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    validation_accuracy: float
    seconds_predicting: float


def train(
    name: str,
    params: ModelParams,
    recipe: Recipe,
    parts: Mapping[str, Part],
    normalization: Normalization,
    classes: int,
    files: Sequence[Path],
    distillation: Distillation | None = None,
) -> Trained:
    """Train the entry `name` by its `recipe` on the parts train and validation, and predict every part.

    Each seed trains a model, a student's with `distillation`.

    `files` hold the parts, and the teacher's answers. ``data/checkpoints/<name>-<seed>.npz`` is what a killed training
    goes on from, after the seeds that were done; `forget` them when the results are safe. Nothing may be computed
    before in this process: threads are set here.

    Raises InputError when the loss is no longer finite.
    """
    network, execution = set_up_for(params, recipe, parts, classes)
    device = describe() | asdict(execution)

    def with_seed(seed: int) -> _OfSeed:
        make_repeatable(seed)
        settings = {
            "params": params.model_dump(exclude={"seeds"}),
            "recipe": recipe.model_dump(),
            "seed": seed,
            "device": device,
        }
        with scope_of(execution):
            model = to_train(network, normalization, execution)
            checkpoint = Checkpoint(_checkpoint(name, seed), fingerprint(files, settings))
            result = fit(
                name,
                seed,
                model,
                params,
                recipe,
                parts["train"],
                parts["validation"],
                execution,
                checkpoint,
                distillation,
            )
        as_it_is = execution.precision == "float32" and execution.devices == 1 and not execution.fused_normalization
        if not as_it_is:  # what is kept computes alike everywhere
            keras.config.set_dtype_policy("float32")
            weights, model = model.get_weights(), with_normalization(network(), normalization)
            model.set_weights(weights)
            keras.config.set_dtype_policy(execution.precision)
        model = averaged_over_views(model, recipe.test_time_mirror, recipe.test_time_shift)
        start = monotonic()
        probabilities = {part: predict(model, data.images, execution.shards) for part, data in parts.items()}
        seconds = monotonic() - start
        right = probabilities["validation"].argmax(axis=1) == parts["validation"].labels
        return _OfSeed(seed, model, result, probabilities, float(right.mean()), seconds)

    found = [with_seed(seed) for seed in params.seeds]
    kept = max(found, key=lambda one: one.validation_accuracy)
    probabilities = {part: np.stack([one.probabilities[part] for one in found]) for part in parts}
    return Trained(kept.model, kept.fit.curves, probabilities, _record(found, kept) | device)


def set_up_for(
    params: ModelParams, recipe: Recipe, parts: Mapping[str, Part], classes: int
) -> tuple[Callable[[], keras.Model], Execution]:
    """Set this process up for the network of `params`; gives what builds it, and how it is trained."""
    shape = parts["train"].images.shape[1:]

    def network() -> keras.Model:
        return build(params.architecture, shape, classes, params.options)

    cores = usable_cores()
    images = [len(data.labels) for data in parts.values()]
    batch_size = batch_size_of(params, len(parts["train"].labels))
    execution = execution_for(network, batch_size, cores, [*images, BATCH_SIZE], recipe.cpu_precision)
    set_up(execution, cores)
    return network, execution


def to_train(network: Callable[[], keras.Model], normalization: Normalization, execution: Execution) -> keras.Model:
    """The model of raw pixels that `network` makes, in the form in which `execution` trains it."""
    model = with_normalization(network(), normalization)
    if not execution.fused_normalization:
        return model
    from pipeline.training.fused_normalization_tensorflow import with_fused_normalization

    return with_fused_normalization(model)


def _record(found: Sequence[_OfSeed], kept: _OfSeed) -> dict[str, Any]:
    return {
        "parameters": kept.model.count_params(),
        "seed": kept.seed,
        "epochs": len(kept.fit.curves),
        "best_epoch": kept.fit.best_epoch,
        "seconds_per_epoch": median(kept.fit.seconds),
        "seconds": sum(sum(one.fit.seconds) for one in found),
        "seconds_predicting": sum(one.seconds_predicting for one in found),
        "seeds": [
            {
                "seed": one.seed,
                "best_epoch": one.fit.best_epoch,
                "validation_accuracy": one.validation_accuracy,
                "seconds": sum(one.fit.seconds),
            }
            for one in found
        ],
    }


def forget(name: str) -> None:
    """Remove the checkpoints of a training whose results are safe."""
    for path in CHECKPOINTS.glob(f"{name}-*.npz"):
        path.unlink()


def _checkpoint(name: str, seed: int) -> Path:
    return CHECKPOINTS / f"{name}-{seed}.npz"
