"""Decode and check the raw files, and name the classes."""

from pathlib import Path

from pipeline.config import load_config
from pipeline.data.description import DESCRIPTION, Description
from pipeline.data.preprocess import background, blank, check_consistency, read_raw
from pipeline.io import run, write_json, write_npz


def main() -> None:
    """Write ``data/prepared.npz`` and ``data/dataset.json``."""
    dataset, classes, labels = read_raw(load_config().data, Path("data/raw"))
    check_consistency(dataset, classes)
    prepared = Path("data/prepared.npz")
    write_npz(prepared, dataset._asdict())
    train, test = dataset.train_images, dataset.test_images
    write_json(DESCRIPTION, Description(classes=classes, background=background(train)).model_dump())
    height, width, channels = train.shape[1:]
    colours = "grey" if channels == 1 else "RGB"
    blanks = int(blank(train).sum() + blank(test).sum())
    print(
        f"{prepared}: {len(train):,} training and {len(test):,} test images of {height} × {width} pixels, {colours}, "
        f"pixels from {train.min()} to {train.max()}, {blanks:,} images blank; {len(classes)} classes, {labels}"
    )


if __name__ == "__main__":
    run(main)
