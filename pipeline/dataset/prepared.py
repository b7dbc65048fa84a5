"""The prepared images and their partition, read back from the archives and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.artifacts import existing, read_npz
from pipeline.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]
Indices = npt.NDArray[np.int64]

PREPARED = {
    "train_images": (np.uint8, 4),
    "train_labels": (np.uint8, 1),
    "test_images": (np.uint8, 4),
    "test_labels": (np.uint8, 1),
    "offset": (np.float32, 0),
    "scale": (np.float32, 0),
}
SPLIT = {"train": (np.int64, 1), "validation": (np.int64, 1)}


def read_prepared(path: Path) -> Arrays:
    """Read images, uint8 (n, height, width, channels), and labels, uint8 (n,), of both parts, and the normalization.

    Raises InputError naming the file and the array that is absent or wrong.
    """
    arrays = _checked(existing(path, "preprocess"), PREPARED)
    for part in ("train", "test"):
        images, labels = len(arrays[f"{part}_images"]), len(arrays[f"{part}_labels"])
        if images != labels or images == 0:
            found = f"{images:,} {part}_images and {labels:,} {part}_labels"
            raise InputError(f"{path}: found {found}, expected as many of both, at least 1")
    if not np.isfinite(arrays["offset"]) or not 0 < arrays["scale"] < np.inf:
        found = f"offset {arrays['offset']} and scale {arrays['scale']}"
        raise InputError(f"{path}: found {found}, expected finite numbers and a scale above 0")
    return arrays


def read_split(path: Path, images: int) -> Arrays:
    """Read the indices of the parts ``train`` and ``validation``, int64 (n,), of so many training images.

    Raises InputError naming the file and the array that is absent or wrong.
    """
    arrays = _checked(existing(path, "split"), SPLIT)
    check_partition(arrays["train"], arrays["validation"], images, str(path))
    return arrays


def check_partition(train: Indices, validation: Indices, images: int, place: str = "split") -> None:
    """Make sure that each of `images` is in exactly one part.

    Raises InputError, beginning with `place`, otherwise.
    """
    both = np.sort(np.concatenate([train, validation]))
    if not np.array_equal(both, np.arange(images)):
        raise InputError(f"{place}: found images in no part or in both, expected each of {images:,} in one")


def _checked(path: Path, expected: Mapping[str, tuple[npt.DTypeLike, int]]) -> Arrays:
    arrays = read_npz(path)
    for name, (dtype, dimensions) in expected.items():
        if name not in arrays:
            raise InputError(f"{path}: found no array {name}, expected {', '.join(expected)}")
        found = arrays[name]
        if found.dtype != dtype or found.ndim != dimensions:
            wanted = f"{np.dtype(dtype)} of {dimensions} dimensions"
            raise InputError(f"{path}, {name}: found {found.dtype} {found.shape}, expected {wanted}")
    return arrays
