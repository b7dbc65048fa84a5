"""Hold validation images out of the training images, and find the normalization of those that stay."""

from argparse import ArgumentParser
from pathlib import Path

from pipeline.config import load_config
from pipeline.data.dataset import load_prepared
from pipeline.data.description import load_description
from pipeline.data.split import hold_out, normalization_statistics
from pipeline.io import InputError, run, write_npz


def main() -> None:
    """Write ``data/splits/NAME.npz``."""
    parser = ArgumentParser(prog="python -m stages.split", description=__doc__)
    parser.add_argument("name", help="a split in the parameters")
    name = parser.parse_args().name
    config = load_config()
    if name not in config.splits:
        raise InputError(f"params.yaml: splits: found no {name}, expected one of {', '.join(config.splits)}")
    split, method = config.splits[name], config.data.normalization
    prepared = load_prepared(Path("data/prepared.npz"))
    labels = prepared["train_labels"]
    parameter = f"splits.{name}.validation_size"
    names = load_description().classes
    train, validation = hold_out(labels, split.validation_size, split.seed, parameter, names)
    offset, scale = normalization_statistics(prepared["train_images"][train], method)
    path = Path(f"data/splits/{name}.npz")
    write_npz(path, {"train": train, "validation": validation, "offset": offset, "scale": scale})
    print(
        f"{path}: {len(train):,} training and {len(validation):,} validation images; "
        f"{method}: (pixel - {offset:g}) / {scale:g}"
    )


if __name__ == "__main__":
    run(main)
