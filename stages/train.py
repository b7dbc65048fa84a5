"""Train one model on the training part, choose the epoch on the validation part, predict every part, once a seed."""

import sys
from pathlib import Path

from pipeline.dataset.parts import read_parts
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params
from pipeline.training.backend import prepare_backend


def main() -> None:
    """Train the model that the first argument names."""
    name = " ".join(sys.argv[1:])
    settings = read_params()
    params = model_named(settings, name)
    prepare_backend()
    from pipeline.training.entry import train_entry  # takes seconds, and so follows the check

    files = Path("data/prepared.npz"), Path("data/split.npz")
    predictions = Path(f"data/predictions/{name}.npz")
    train_entry(name, params, settings.recipes[params.recipe], read_parts(*files), files, predictions)


if __name__ == "__main__":
    run(main)
