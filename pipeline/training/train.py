"""Train a model once for each seed and save all results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import monotonic
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.io import write_csv, write_json, write_npz
from pipeline.training.backends.base import Trainer
from pipeline.training.callbacks import Checkpoint
from pipeline.training.fit import FitResult, fit, make_trainer
from pipeline.training.job import TrainingJob
from pipeline.training.model import precision_of, with_tta
from pipeline.training.runtime import hardware_info, seed_everything
from pipeline.training.saving import predict, save_model


@dataclass(frozen=True)
class SeedResult:
    """The trained model of one seed, its curves and its predictions.

    `precision` is the dtype policy that its layers were trained in. `probabilities` are float32 (n, classes) for each
    split.
    """

    seed: int
    model: keras.Model
    fit: FitResult
    precision: str
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    validation_accuracy: float
    inference_seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """The model of the best seed, by validation accuracy, its curves, and the predictions of all seeds.

    `probabilities` are float32 (seeds, n, classes) for each split, in the order of the seeds in the parameters.
    `record` describes the training.
    """

    model: keras.Model
    curves: pd.DataFrame
    probabilities: Mapping[str, npt.NDArray[np.float32]]
    record: Mapping[str, Any]


def train(job: TrainingJob) -> TrainingResult:
    """Train a model for each seed on the split ``train``, choose epoch and seed on ``validation``, predict every split.

    A killed training resumes from ``data/checkpoints/<name>-<seed>.npz``, after the seeds that were done. Delete these
    files when the results are saved.

    Raises InputError when the loss is no longer finite.
    """
    keras.config.set_dtype_policy(job.plan.precision)
    seed_everything(job.config.seeds[0])
    trainer = make_trainer(job.build_trainable(), job)
    results = [train_seed(job, seed, trainer) for seed in job.config.seeds]
    best = max(results, key=lambda result: result.validation_accuracy)
    probabilities = {
        split: np.stack([result.probabilities[split] for result in results]) for split in job.dataset.splits
    }
    return TrainingResult(best.model, best.fit.curves, probabilities, _record(job, results, best))


def train_seed(job: TrainingJob, seed: int, trainer: Trainer) -> SeedResult:
    """Train a model with one seed and predict every split.

    Compiling takes as long as training a small network, so the `trainer` serves all seeds.

    Test-time augmentation is for the splits ``validation`` and ``test``. The training images are many, and what is
    asked of them is how well the network itself has learned them, so they are predicted as they are.

    Raises InputError when the loss is no longer finite.
    """
    keras.config.set_dtype_policy(job.plan.precision)
    seed_everything(seed)
    trainable = job.build_trainable()
    trainer.restart(trainable)
    result = fit(trainer, job, seed, Checkpoint(job.checkpoint(seed), job.fingerprint(seed)))
    keras.config.set_dtype_policy("float32")  # a saved model computes alike everywhere
    plain = job.build_model()
    plain.set_weights(trainer.model.get_weights())
    model = with_tta(plain, job.recipe.tta_flip, job.recipe.tta_translate)
    start = monotonic()
    probabilities = {
        name: predict(plain if name == "train" else model, split.images, job.plan.shards)
        for name, split in job.dataset.splits.items()
    }
    seconds = monotonic() - start
    correct = probabilities["validation"].argmax(axis=1) == job.dataset.splits["validation"].labels
    return SeedResult(seed, model, result, precision_of(trainable), probabilities, float(correct.mean()), seconds)


def _record(job: TrainingJob, results: Sequence[SeedResult], best: SeedResult) -> dict[str, Any]:
    return {
        "parameters": best.model.count_params(),
        "seed": best.seed,
        "epochs": len(best.fit.curves),
        "best_epoch": best.fit.best_epoch,
        "seconds_per_epoch": median(best.fit.seconds),
        "seconds": sum(sum(result.fit.seconds) for result in results),
        "inference_seconds": sum(result.inference_seconds for result in results),
        "seeds": [
            {
                "seed": result.seed,
                "best_epoch": result.fit.best_epoch,
                "validation_accuracy": result.validation_accuracy,
                "seconds": sum(result.fit.seconds),
            }
            for result in results
        ],
        **hardware_info(),
        **asdict(job.plan),
        "precision": best.precision,
    }


def train_and_save(job: TrainingJob) -> None:
    """Train a model and save its predictions, curves, model and record where the layout says.

    Raises InputError when the loss is no longer finite.
    """
    began = monotonic()
    result = train(job)
    arrays: dict[str, npt.ArrayLike] = {f"{name}_labels": split.labels for name, split in job.dataset.splits.items()}
    arrays |= {f"{name}_probabilities": probabilities for name, probabilities in result.probabilities.items()}
    write_npz(job.layout.predictions(job.name), arrays)
    write_csv(job.layout.curves(job.name), result.curves)
    identity = {"name": job.name, "seed": result.record["seed"]}
    save_model(result.model, job.layout.model(job.name), identity)
    write_json(job.layout.run(job.name), result.record)
    job.delete_checkpoints()
    record = result.record
    best = next(seed for seed in record["seeds"] if seed["seed"] == record["seed"])
    seeds = "1 seed" if len(record["seeds"]) == 1 else f"{len(record['seeds'])} seeds"
    print(
        f"{job.name}: trained with {seeds} in {monotonic() - began:.0f} s; best is seed "
        f"{record['seed']}, epoch {record['best_epoch']} of {record['epochs']}, "
        f"validation accuracy {best['validation_accuracy']:.4f}"
    )
