"""Describe one training: everything that its result depends on."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from pipeline.config import ROOT, Layout
from pipeline.config_models import ModelConfig, Recipe
from pipeline.data.dataset import Dataset
from pipeline.training.model import build_network, with_normalization
from pipeline.training.runtime import (
    ExecutionPlan,
    available_cpus,
    configure_backend,
    hardware_info,
    plan_execution,
)
from pipeline.training.sampler import EVAL_BATCH_SIZE, batch_size_of

CHECKPOINTS = Path("data/checkpoints")


@dataclass(frozen=True)
class TrainingJob:
    """The training of a model: its configuration, data and execution plan.

    `dataset` has at least the splits ``train`` and ``validation``. `input_files` hold it. `layout` says where the
    results go.
    """

    name: str
    config: ModelConfig
    recipe: Recipe
    dataset: Dataset
    plan: ExecutionPlan
    input_files: Sequence[Path] = ()
    layout: Layout = ROOT

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.dataset.splits["train"].labels.max()) + 1

    @property
    def batch_size(self) -> int:
        """Images in a batch of the training."""
        return batch_size_of(self.config, len(self.dataset.splits["train"].labels))

    @property
    def steps(self) -> int:
        """Steps of the training with one seed."""
        return self.config.epochs * -(-len(self.dataset.splits["train"].labels) // self.batch_size)

    def build_network(self) -> keras.Model:
        """Build the network, which takes normalized images."""
        shape = self.dataset.splits["train"].images.shape[1:]
        return build_network(self.config.architecture, shape, self.classes, self.config.options)

    def build_model(self) -> keras.Model:
        """Build the model of raw pixels, as it is saved."""
        return with_normalization(self.build_network(), self.dataset.normalization)

    def build_trainable(self) -> keras.Model:
        """Build the model of raw pixels in the form that the plan trains."""
        model = self.build_model()
        if not self.plan.fused_normalization:
            return model
        from pipeline.training.backends.tensorflow import with_fused_normalization

        return with_fused_normalization(model)

    def checkpoint(self, seed: int) -> Path:
        """Return the path of a seed's checkpoint."""
        return CHECKPOINTS / f"{self.name}-{seed}.npz"

    def delete_checkpoints(self) -> None:
        """Delete the checkpoints of all seeds, once the results are saved."""
        for path in CHECKPOINTS.glob(f"{self.name}-*.npz"):
            path.unlink()

    def fingerprint(self, seed: int) -> str:
        """Return a SHA-256 of the input files, the settings, the device and the project's code that trains.

        The code is this package and the project's modules that are imported by now, without the schema of the
        parameters, which can refuse a value but not change one.
        """
        settings = {
            "config": self.config.model_dump(exclude={"seeds"}),
            "recipe": self.recipe.model_dump(),
            "seed": seed,
            "device": hardware_info() | asdict(self.plan),
        }
        code = set(Path(__file__).parent.rglob("*.py"))
        for name, module in sys.modules.items():
            if name.startswith("pipeline.") and not name.startswith("pipeline.config") and module.__file__:
                code.add(Path(module.__file__))
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for path in [*sorted(code), *self.input_files]:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def make_job(
    name: str, config: ModelConfig, recipe: Recipe, dataset: Dataset, input_files: Sequence[Path], layout: Layout
) -> TrainingJob:
    """Plan a training and configure this process for it.

    Call it before any TensorFlow operation: it sets the thread pools.

    Args:
        name: Name of the model.
        config: Its entry in ``models``.
        recipe: Its recipe.
        dataset: Its splits and their normalization.
        input_files: Files that hold the dataset. A checkpoint of other files is not used.
        layout: Where the results go.

    Returns:
        The job for `train`.
    """
    job = TrainingJob(name, config, recipe, dataset, ExecutionPlan(shards=1, xla=False), input_files, layout)
    cores = available_cpus()
    eval_batch_sizes = [*(len(split.labels) for split in dataset.splits.values()), EVAL_BATCH_SIZE]
    plan = plan_execution(job.build_network, job.batch_size, cores, eval_batch_sizes, recipe.cpu_precision)
    configure_backend(plan, cores)
    return TrainingJob(name, config, recipe, dataset, plan, input_files, layout)
