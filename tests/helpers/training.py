"""Train models on the few hundred real images, for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from pipeline.config import load_config
from pipeline.config_models import ModelConfig, Recipe
from pipeline.data.dataset import Dataset, Normalization, Split
from pipeline.training.callbacks import Checkpoint
from pipeline.training.fit import FitResult, fit, make_trainer
from pipeline.training.job import TrainingJob
from pipeline.training.model import build_network, with_normalization
from pipeline.training.runtime import ExecutionPlan, plan_execution, seed_everything
from pipeline.training.sampler import batch_size_of

CONFIG = load_config(Path(__file__).parents[2] / "params.yaml")
MODELS = CONFIG.models
PLAIN = CONFIG.recipes["plain"]
MINMAX = Normalization(offset=0, scale=255)


class KilledError(Exception):
    """Raised by a test to stop a training."""


class KilledAfter(Checkpoint):
    """A checkpoint whose training ends when the last of `epochs` is written."""

    def __init__(self, path: Path, fingerprint: str, epochs: int) -> None:
        super().__init__(path, fingerprint)
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if epoch + 1 == self.epochs:
            raise KilledError


def config_of(name: str, **changes: Any) -> ModelConfig:
    """Return a model of ``params.yaml`` with changes."""
    return MODELS[name].model_copy(update=changes)


def build_seeded(config: ModelConfig, normalization: Normalization = MINMAX, seed: int = 0) -> keras.Model:
    """Build a model of raw pixels, 28 × 28 and 10 classes, with the first weights of a seed."""
    seed_everything(seed)
    return with_normalization(build_network(config.architecture, (28, 28, 1), 10, config.options), normalization)


def plan_for(
    config: ModelConfig, cores: int, cpu_precision: Literal["float32", "bfloat16"] = "float32"
) -> ExecutionPlan:
    """Plan a training on 300 images."""

    def network() -> keras.Model:
        return build_network(config.architecture, (28, 28, 1), 10, config.options)

    return plan_execution(network, batch_size_of(config, images=300), cores, cpu_precision=cpu_precision)


@dataclass(frozen=True)
class Small:
    """Fits on small splits as the stage does on two cores, whichever machine this is."""

    train: Split
    validation: Split

    def job(
        self, name: str, config: ModelConfig, recipe: Recipe = PLAIN, plan: ExecutionPlan | None = None
    ) -> TrainingJob:
        """Describe a training on the splits; ``test`` holds the training images."""
        splits = {"train": self.train, "validation": self.validation, "test": self.train}
        return TrainingJob(name, config, recipe, Dataset(splits, MINMAX), plan or plan_for(config, cores=2))

    def fit(
        self, model: keras.Model, job: TrainingJob, checkpoint: Checkpoint | None = None, seed: int = 0
    ) -> FitResult:
        """Fit a model, from the first epoch unless a checkpoint is given."""
        Path("none.npz").unlink(missing_ok=True)
        return fit(make_trainer(model, job), job, seed, checkpoint or Checkpoint(Path("none.npz"), "any"))
