"""Compile and fit a model, keeping the epoch with the best validation accuracy."""

from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from pipeline.data.dataset import Split
from pipeline.training.augmentation import Augmentation
from pipeline.training.backends.base import Trainer
from pipeline.training.callbacks import (
    Checkpoint,
    EvaluateEMAWeights,
    LiveCurves,
    Progress,
    TerminateOnNaN,
    live_report,
)
from pipeline.training.job import TrainingJob
from pipeline.training.optimizers import make_optimizer
from pipeline.training.sampler import EVAL_BATCH_SIZE, BatchSampler


@dataclass(frozen=True)
class FitResult:
    """The learning curves of a fit.

    `curves` has one row for each epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy. Training metrics are
    means over the epoch's batches, as they were met. `seconds` has the time of each epoch, with its validation.
    """

    curves: pd.DataFrame
    best_epoch: int
    seconds: list[float]


def make_trainer(model: keras.Model, job: TrainingJob) -> Trainer:
    """Compile a model for a training, with this backend's loop.

    Args:
        model: A model of raw pixels, as `TrainingJob.build_trainable` builds it.
        job: The training.

    Returns:
        A trainer for `fit`, which trains the model's own weights.
    """
    train, validation = job.dataset.splits["train"], job.dataset.splits["validation"]
    augmentation = Augmentation(job.recipe, model.input_shape[1:], model.output_shape[-1])
    if job.config.batch_size == "full" and not augmentation.changes_images:  # always the same batch: normalized once
        normalization, model = model.layers
        train, validation = (Split(normalization(split.images), split.labels) for split in (train, validation))
    loss = "sparse_categorical_crossentropy"
    if augmentation.has_soft_targets:
        loss = "categorical_crossentropy"
        validation = Split(validation.images, augmentation.one_hot(validation.labels))
    trainer = _trainer_of_backend()(model, train, validation, augmentation, job.plan)
    fused = keras.backend.backend() == "tensorflow" and not job.plan.xla
    optimizer = make_optimizer(job.config.optimizer, job.recipe, job.steps, fused)
    trainer.compile(optimizer, loss=loss, metrics=["accuracy"])
    trainer.create_variables()
    return trainer


def _trainer_of_backend() -> type[Trainer]:
    """Return this backend's trainer, with a loop on the device where it has one."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from pipeline.training.backends import tensorflow

        return tensorflow.OnDeviceTrainer
    if backend == "jax":
        from pipeline.training.backends import jax

        return jax.OnDeviceTrainer
    return Trainer


def fit(trainer: Trainer, job: TrainingJob, seed: int, checkpoint: Checkpoint) -> FitResult:
    """Fit a model and leave it with the weights of the epoch with the best validation accuracy.

    The earliest of equally accurate epochs is kept. ``dvclive/<name>/<seed>/report.html`` shows the curves meanwhile.
    If the recipe has an EMA, its weights are evaluated and left in the model. Epochs are compared without test-time
    augmentation.

    Args:
        trainer: Has the model with its first weights.
        job: The training.
        seed: Decides the order of the images and their augmentation.
        checkpoint: Records the epochs. A killed training resumes from its file.

    Returns:
        The learning curves.

    Raises:
        InputError: The loss is no longer finite.
    """
    config, steps_per_execution = job.config, job.plan.steps_per_execution
    sampler = BatchSampler(trainer.augmentation, seed, len(trainer.labels), job.batch_size, config.epochs)
    done = checkpoint.restore(trainer)
    if done:
        print(f"Resuming after epoch {done} ({checkpoint.path})")
    with live_report(Path(f"dvclive/{job.name}/{seed}"), resume=done > 0) as live:
        trainer.fit(
            trainer.batches(lambda: sampler.blocks(done, steps_per_execution), sampler.fixed_batch_size),
            steps_per_epoch=sampler.blocks_per_epoch(steps_per_execution),
            initial_epoch=done,
            epochs=config.epochs,
            shuffle=False,
            validation_data=trainer.validation_data(),
            validation_batch_size=EVAL_BATCH_SIZE,
            callbacks=[
                TerminateOnNaN(job.name, seed, config.optimizer.learning_rate),
                checkpoint,
                *([EvaluateEMAWeights()] if job.recipe.ema is not None else []),
                LiveCurves(live),
                Progress(job.name, seed, config.epochs, done),
            ],
            verbose=0,
        )
    return FitResult(checkpoint.curves, checkpoint.best_epoch, checkpoint.seconds)
