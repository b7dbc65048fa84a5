"""Decode the raw files, check them, and find the normalization."""

from pathlib import Path

from pipeline.artifacts import write_npz
from pipeline.dataset.consistency import check_consistency
from pipeline.dataset.formats import read_dataset
from pipeline.dataset.normalize import statistics
from pipeline.errors import run
from pipeline.params.reading import read_params


def main() -> None:
    """Write ``data/prepared.npz``."""
    data = read_params().data
    dataset = read_dataset(data, Path("data/raw"))
    check_consistency(dataset, data.classes)
    offset, scale = statistics(dataset.train_images, data.normalization)
    write_npz(Path("data/prepared.npz"), {**dataset._asdict(), "offset": offset, "scale": scale})
    train, test = dataset.train_images, dataset.test_images
    print(
        f"{len(train):,} training and {len(test):,} test images of {train.shape[1]} × {train.shape[2]} pixels, "
        f"{len(data.classes)} classes, pixels from {train.min()} to {train.max()}; "
        f"{data.normalization}: (pixel - {offset:g}) / {scale:g}"
    )


if __name__ == "__main__":
    run(main)
