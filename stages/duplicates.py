"""Find the images that are there twice, within and across training and test."""

from pathlib import Path

from pipeline.artifacts import write_csv
from pipeline.dataset.duplicates import NEAR, duplicates_table
from pipeline.dataset.prepared import read_prepared
from pipeline.errors import run


def main() -> None:
    """Write ``data/duplicates.csv``."""
    prepared = read_prepared(Path("data/prepared.npz"))
    table = duplicates_table(prepared["train_images"], prepared["test_images"])
    write_csv(Path("data/duplicates.csv"), table)
    exact = int((table["distance"] == 0).sum())
    print(f"{exact:,} pairs of equal images, {len(table) - exact:,} others at most {NEAR:g} levels of 255 apart")


if __name__ == "__main__":
    run(main)
