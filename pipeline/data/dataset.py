"""Load the prepared images as the splits that models see: train, validation and test.

Every training depends on this module, so it imports nothing but NumPy and `pipeline.io`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.io import InputError, read_npz, require_output

Arrays = dict[str, npt.NDArray[Any]]
Indices = npt.NDArray[np.int64]

SPLITS = ("train", "validation", "test")
# Data type and number of dimensions of each array of data/prepared.npz and of data/splits/NAME.npz.
PREPARED = {
    "train_images": (np.uint8, 4),
    "train_labels": (np.uint8, 1),
    "test_images": (np.uint8, 4),
    "test_labels": (np.uint8, 1),
}
TEST_ARRAYS = ("test_images", "test_labels")
SPLIT = {"train": (np.int64, 1), "validation": (np.int64, 1), "offset": (np.float32, 0), "scale": (np.float32, 0)}


@dataclass(frozen=True)
class Split:
    """Images, uint8 (n, height, width, channels), and their labels, uint8 (n,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Normalization:
    """A normalized pixel is ``(pixel - offset) / scale``."""

    offset: float
    scale: float


@dataclass(frozen=True)
class Dataset:
    """The splits by the names of `SPLITS`, and the normalization of their pixels."""

    splits: Mapping[str, Split]
    normalization: Normalization


def load_dataset(prepared: Path, split: Path) -> Dataset:
    """Load the splits ``train``, ``validation`` and ``test``, and the normalization of their pixels.

    Raises InputError naming a file that is absent, damaged, or holds something else.
    """
    data = load_prepared(prepared)
    index = load_split(split, len(data["train_images"]))
    images, labels = data["train_images"], data["train_labels"]
    splits = {name: Split(images[index[name]], labels[index[name]]) for name in ("train", "validation")}
    splits["test"] = Split(data["test_images"], data["test_labels"])
    return Dataset(splits, Normalization(float(index["offset"]), float(index["scale"])))


def load_prepared(path: Path) -> Arrays:
    """Load images, uint8 (n, height, width, channels), and labels, uint8 (n,), of training and test.

    Raises InputError naming the file and the array that is absent or wrong.
    """
    arrays = _load_checked(require_output(path, "preprocess"), PREPARED)
    for split in ("train", "test"):
        _check_lengths(arrays, split, path)
    return arrays


def load_test_split(path: Path) -> Split:
    """Load the test split alone from the prepared images, which takes a seventh of the time.

    Raises InputError as `load_prepared` does.
    """
    arrays = _load_checked(require_output(path, "preprocess"), {name: PREPARED[name] for name in TEST_ARRAYS})
    _check_lengths(arrays, "test", path)
    return Split(arrays["test_images"], arrays["test_labels"])


def load_split(path: Path, images: int) -> Arrays:
    """Load a split of so many training images.

    The arrays are the indices ``train`` and ``validation``, int64 (n,), and ``offset`` and ``scale``, float32.

    Raises InputError naming the file and the array that is absent or wrong.
    """
    arrays = _load_checked(require_output(path, f"split@{path.stem}"), SPLIT)
    check_disjoint(arrays["train"], arrays["validation"], images, str(path))
    if not np.isfinite(arrays["offset"]) or not 0 < arrays["scale"] < np.inf:
        found = f"offset {arrays['offset']} and scale {arrays['scale']}"
        raise InputError(f"{path}: found {found}, expected finite numbers and a scale above 0")
    return arrays


def check_disjoint(train: Indices, validation: Indices, images: int, place: str = "split") -> None:
    """Check that each training image is in exactly one of two splits.

    Args:
        train: Indices of the training split, int64 (n,).
        validation: Indices of the validation split, int64 (n,).
        images: Number of training images.
        place: Where the indices come from, for the error message.

    Raises:
        InputError: An image is in no split or in both.
    """
    both = np.sort(np.concatenate([train, validation]))
    if not np.array_equal(both, np.arange(images)):
        raise InputError(f"{place}: found images in no split or in both, expected each of {images:,} in one")


def _check_lengths(arrays: Arrays, split: str, path: Path) -> None:
    """Raise InputError unless there are as many images as labels, at least one."""
    images, labels = len(arrays[f"{split}_images"]), len(arrays[f"{split}_labels"])
    if images != labels or images == 0:
        found = f"{images:,} {split}_images and {labels:,} {split}_labels"
        raise InputError(f"{path}: found {found}, expected as many of both, at least 1")


def _load_checked(path: Path, expected: Mapping[str, tuple[npt.DTypeLike, int]]) -> Arrays:
    arrays = read_npz(path, expected)
    for name, (dtype, dimensions) in expected.items():
        if name not in arrays:
            raise InputError(f"{path}: found no array {name}, expected {', '.join(expected)}")
        found = arrays[name]
        if found.dtype != dtype or found.ndim != dimensions:
            wanted = f"{np.dtype(dtype)} of {dimensions} dimensions"
            raise InputError(f"{path}, {name}: found {found.dtype} {found.shape}, expected {wanted}")
    return arrays
