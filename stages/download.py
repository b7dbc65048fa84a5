"""Fetch the raw files from the first source that delivers them as pinned, or list the images in folders."""

from pathlib import Path

from pipeline.config import load_config
from pipeline.config_data import IdxData, ImageData
from pipeline.data.sources.class_folders import list_images
from pipeline.data.sources.fetch import fetch
from pipeline.io import run, write_csv


def main() -> None:
    """Write ``data/raw``."""
    data = load_config().data
    raw = Path("data/raw")
    if isinstance(data, ImageData):
        images = list_images(data.images)
        write_csv(raw / "images.csv", images)
        train = int((images["split"] == "train").sum())
        print(f"{raw}/images.csv: {train:,} training and {len(images) - train:,} test images")
    else:
        files = data.idx.files if isinstance(data, IdxData) else data.csv.files
        fetch(files, data.sources, raw)
        print(f"{raw}: {', '.join(file.name for file in files)}")


if __name__ == "__main__":
    run(main)
