"""Fetch the raw files, from the first source that delivers them as pinned; images in folders are listed."""

from pathlib import Path

from pipeline.artifacts import write_csv
from pipeline.dataset.class_folders import list_images
from pipeline.dataset.sources import fetch, raw_files
from pipeline.errors import run
from pipeline.params.reading import read_params


def main() -> None:
    """Write ``data/raw``."""
    data = read_params().data
    raw = Path("data/raw")
    fetch(raw_files(data), data.sources, raw)
    if data.format == "images":
        write_csv(raw / "images.csv", list_images(data.images))


if __name__ == "__main__":
    run(main)
