"""Train an entry of ``params.yaml`` and write all that a training leaves."""

from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt

from pipeline.artifacts import write_csv, write_json, write_npz
from pipeline.dataset.parts import Normalization, Part
from pipeline.params.recipes import Recipe
from pipeline.params.schema import ModelParams
from pipeline.training.distillation import Distillation
from pipeline.training.export import write_model
from pipeline.training.train import forget, train


def train_entry(
    name: str,
    params: ModelParams,
    recipe: Recipe,
    data: tuple[dict[str, Part], Normalization],
    files: Sequence[Path],
    predictions: Path,
    distillation: Distillation | None = None,
) -> None:
    """Train `name` on `data`, which was read from `files`, and write what it predicts to `predictions`.

    Its curves, the model and a record of the run go to their places in ``data``.

    Raises InputError when the loss is no longer finite.
    """
    parts, normalization = data
    classes = int(parts["train"].labels.max()) + 1
    trained = train(name, params, recipe, parts, normalization, classes, files, distillation)
    arrays: dict[str, npt.ArrayLike] = {f"{part}_labels": of_part.labels for part, of_part in parts.items()}
    arrays |= {f"{part}_probabilities": found for part, found in trained.probabilities.items()}
    write_npz(predictions, arrays)
    write_csv(Path(f"data/curves/{name}.csv"), trained.curves)
    write_model(trained.model, Path(f"data/models/{name}"))
    write_json(Path(f"data/runs/{name}.json"), trained.record)
    forget(name)
