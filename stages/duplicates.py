"""Find the images that are there twice, within and across training and test."""

from pathlib import Path

from pipeline.data.dataset import load_prepared
from pipeline.data.duplicates import NEAR, duplicates_table
from pipeline.io import run, write_csv


def main() -> None:
    """Write ``data/duplicates.csv``."""
    prepared = load_prepared(Path("data/prepared.npz"))
    table = duplicates_table(prepared["train_images"], prepared["test_images"])
    path = Path("data/duplicates.csv")
    write_csv(path, table)
    exact = int((table["rmse"] == 0).sum())
    print(f"{path}: {exact:,} pairs of equal images, {len(table) - exact:,} others at most {NEAR:g} levels apart")


if __name__ == "__main__":
    run(main)
