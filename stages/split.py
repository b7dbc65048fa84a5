"""Hold out a validation part of the training images; the test images stay apart."""

from pathlib import Path

from pipeline.artifacts import write_npz
from pipeline.dataset.partition import partition
from pipeline.dataset.prepared import check_partition, read_prepared
from pipeline.errors import run
from pipeline.params.reading import read_params


def main() -> None:
    """Write ``data/split.npz``."""
    split = read_params().split
    prepared = read_prepared(Path("data/prepared.npz"))
    labels = prepared["train_labels"]
    train, validation = partition(labels, split.validation, split.seed)
    check_partition(train, validation, len(labels))
    write_npz(Path("data/split.npz"), {"train": train, "validation": validation})
    print(
        f"{len(train):,} training, {len(validation):,} validation images, disjoint; "
        f"{len(prepared['test_labels']):,} test images apart"
    )


if __name__ == "__main__":
    run(main)
