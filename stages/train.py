"""Train one model on the training part, choose the epoch on the validation part, predict every part, once a seed."""

import os
import sys
from pathlib import Path

import numpy.typing as npt

from pipeline.artifacts import write_csv, write_json, write_npz
from pipeline.dataset.parts import read_parts
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params


def main() -> None:
    """Train the model that the first argument names."""
    name = " ".join(sys.argv[1:])
    settings = read_params()
    params = model_named(settings, name)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before the import, which takes seconds and follows the check
    if os.environ.get("KERAS_BACKEND") == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_gpu_deterministic_ops=true {os.environ.get('XLA_FLAGS', '')}"
    from pipeline.training.export import write_model
    from pipeline.training.train import forget, train

    files = Path("data/prepared.npz"), Path("data/split.npz")
    parts, normalization = read_parts(*files)
    recipe, classes = settings.recipes[params.recipe], int(parts["train"].labels.max()) + 1
    trained = train(name, params, recipe, parts, normalization, classes, files)
    predictions: dict[str, npt.ArrayLike] = {f"{part}_labels": data.labels for part, data in parts.items()}
    predictions |= {f"{part}_probabilities": found for part, found in trained.probabilities.items()}
    write_npz(Path(f"data/predictions/{name}.npz"), predictions)
    write_csv(Path(f"data/curves/{name}.csv"), trained.curves)
    write_model(trained.model, Path(f"data/models/{name}"))
    write_json(Path(f"data/runs/{name}.json"), trained.record)
    forget(name)


if __name__ == "__main__":
    run(main)
