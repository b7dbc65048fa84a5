"""Train one model: choose the epoch on the validation split, predict every split, once for each seed."""

from argparse import ArgumentParser
from pathlib import Path

from pipeline.config import PARAMS, Layout, load_pipeline
from pipeline.data.dataset import load_dataset
from pipeline.io import run
from pipeline.training.runtime import prepare_backend


def main() -> None:
    """Train the model that the first argument names."""
    parser = ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("name", help="a model in the parameters")
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameters of the pipeline (default: %(default)s)")
    arguments = parser.parse_args()
    name = arguments.name
    pipeline = load_pipeline(arguments.params)
    config = pipeline.get_model(name)
    files = Path("data/prepared.npz"), Path(f"data/splits/{config.split}.npz")
    dataset = load_dataset(*files)
    prepare_backend()
    from pipeline.training.job import make_job  # takes seconds, and so follows the checks
    from pipeline.training.train import train_and_save

    layout = Layout.of(arguments.params)
    train_and_save(make_job(name, config, pipeline.recipes[config.recipe], dataset, files, layout))


if __name__ == "__main__":
    run(main)
