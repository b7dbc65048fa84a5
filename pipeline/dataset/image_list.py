"""The images of a list of files, as arrays."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from pipeline.artifacts import existing
from pipeline.dataset.images import read_image
from pipeline.errors import InputError
from pipeline.params.schema import ImageFolders

LARGEST = 2 * 2**30  # bytes of pixels, which all stages hold in memory, some of them as floats


def read_listed(
    path: Path, folders: ImageFolders, names: Sequence[str] | None
) -> tuple[dict[str, npt.NDArray[np.uint8]], list[str]]:
    """Read the images that the list at `path` names, as `list_images` made it, in its order.

    Gives `{part}_images` uint8 (n, height, width, channels) and `{part}_labels` uint8 (n,) of the parts train and test,
    and the class names: `names`, or those of the list, sorted.

    Raises InputError naming the image that is damaged or of another size than the first, the parameter for the size if
    the images are too large, or that for the names if they are not those of the list.
    """
    table = pd.read_csv(existing(path, "download"), dtype=str, keep_default_na=False)
    classes = sorted(set(table["class"]))
    if names is not None and set(names) != set(classes):
        found, expected = ", ".join(names), ", ".join(classes)
        raise InputError(f"data.classes: found {found}, expected the folders in {folders.train}, {expected}, or null")
    classes = list(names or classes)
    images = _read(table["file"].tolist(), folders)
    labels = pd.Categorical(table["class"], classes).codes.astype(np.uint8)
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    first_test_image = int((table["part"] == "train").sum())
    for part, chosen in {"train": slice(first_test_image), "test": slice(first_test_image, None)}.items():
        arrays |= {f"{part}_images": images[chosen], f"{part}_labels": labels[chosen]}
    return arrays, classes


def _read(files: Sequence[str], folders: ImageFolders) -> npt.NDArray[np.uint8]:
    """Read images of one size, uint8 (n, height, width, channels)."""
    channels = 1 if folders.color == "grey" else 3
    size = (folders.resize.height, folders.resize.width) if folders.resize else None
    first = read_image(Path(files[0]), channels, size)
    needed = len(files) * prod(first.shape)
    if needed > LARGEST:
        raise InputError(
            f"data.images.resize: found {len(files):,} images of {_pixels(first)}, which are {needed:,} bytes, "
            f"expected at most {LARGEST:,}"
        )
    images = np.empty((len(files), *first.shape), np.uint8)
    for number, file in enumerate(tqdm(files, unit="image", disable=None)):
        image = read_image(Path(file), channels, size)
        if image.shape != first.shape:
            raise InputError(
                f"{file}: found {_pixels(image)}, expected {_pixels(first)} as in {files[0]}; "
                "data.images.resize brings images to one size"
            )
        images[number] = image
    return images


def _pixels(image: npt.NDArray[np.uint8]) -> str:
    height, width, _ = image.shape
    return f"{height} × {width} pixels"
