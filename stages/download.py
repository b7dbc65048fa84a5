"""Fetch the raw files, from the first source that delivers them as pinned."""

from pathlib import Path

from pipeline.dataset.sources import fetch, raw_files
from pipeline.errors import run
from pipeline.params.reading import read_params


def main() -> None:
    """Write ``data/raw``."""
    data = read_params().data
    fetch(raw_files(data), data.sources, Path("data/raw"))


if __name__ == "__main__":
    run(main)
