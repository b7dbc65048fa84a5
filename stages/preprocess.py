"""Decode the raw files, check them, find the normalization, and name the classes."""

from pathlib import Path

from pipeline.artifacts import write_json, write_npz
from pipeline.dataset.background import background
from pipeline.dataset.consistency import check_consistency
from pipeline.dataset.description import DESCRIPTION, Description
from pipeline.dataset.formats import read_dataset
from pipeline.dataset.normalize import statistics
from pipeline.errors import run
from pipeline.params.reading import read_params


def main() -> None:
    """Write ``data/prepared.npz`` and ``data/dataset.json``."""
    data = read_params().data
    dataset, classes = read_dataset(data, Path("data/raw"))
    check_consistency(dataset)
    offset, scale = statistics(dataset.train_images, data.normalization)
    write_npz(Path("data/prepared.npz"), {**dataset._asdict(), "offset": offset, "scale": scale})
    write_json(DESCRIPTION, Description(classes=classes, background=background(dataset.train_images)).model_dump())
    train, test = dataset.train_images, dataset.test_images
    height, width, channels = train.shape[1:]
    colours = "grey" if channels == 1 else "RGB"
    print(
        f"{len(train):,} training and {len(test):,} test images of {height} × {width} pixels, {colours}, "
        f"{len(classes)} classes, pixels from {train.min()} to {train.max()}; "
        f"{data.normalization}: (pixel - {offset:g}) / {scale:g}"
    )


if __name__ == "__main__":
    run(main)
