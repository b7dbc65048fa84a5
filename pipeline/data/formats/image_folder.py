"""Read the images of a list of files as arrays."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from pipeline.config_data import ImageFolders
from pipeline.data.formats.images import read_image
from pipeline.data.messages import Faults, join_names
from pipeline.io import InputError, printable, require_output

LARGEST = 2 * 2**30  # bytes of pixels, which all stages hold in memory, some of them as floats


def read_listed(
    path: Path, folders: ImageFolders, names: Sequence[str] | None
) -> tuple[dict[str, npt.NDArray[np.uint8]], list[str]]:
    """Read the images that a list names, in its order.

    Args:
        path: The list, as `list_images` made it.
        folders: The size and colours to bring the images to.
        names: The class names in the order of their labels; None takes those of the list, sorted.

    Returns:
        `{split}_images` uint8 (n, height, width, channels) and `{split}_labels` uint8 (n,) of train and test, and the
        class names.

    Raises:
        InputError: The list is damaged; up to twenty images that are damaged or of another size than the first; the
            parameter for the size if the images are too large; or the parameter for the names if they differ from
            those of the list.
    """
    require_output(path, "download")
    try:
        table = pd.read_csv(path, usecols=["split", "class", "file"], dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(
            f"{path}: expected the list of images that the stage download writes, found: {error}"
        ) from error
    found = sorted(set(table["class"]))
    classes = [normalize("NFC", name) for name in names] if names is not None else found
    if set(classes) != set(found):
        expected = f"the folders in {printable(folders.train)}, {join_names(found)}, or null"
        raise InputError(f"data.classes: found {join_names(classes)}, expected {expected}")
    images = _read_images(table["file"].tolist(), folders)
    labels = pd.Categorical(table["class"], classes).codes.astype(np.uint8)
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    first_test_image = int((table["split"] == "train").sum())
    for split, chosen in {"train": slice(first_test_image), "test": slice(first_test_image, None)}.items():
        arrays |= {f"{split}_images": images[chosen], f"{split}_labels": labels[chosen]}
    return arrays, classes


def _read_images(files: Sequence[str], folders: ImageFolders) -> npt.NDArray[np.uint8]:
    """Read images of one size, uint8 (n, height, width, channels)."""
    channels = 1 if folders.color == "grey" else 3
    size = (folders.resize.height, folders.resize.width) if folders.resize else None
    images, first, faults = np.empty(0, np.uint8), "", Faults()
    for index, file in enumerate(tqdm(files, unit="image", disable=None)):
        image = None
        with faults.collect():
            image = read_image(Path(file), channels, size)
        if image is None:
            continue
        if not first:
            images, first = _allocate(len(files), image), file
        if image.shape == images.shape[1:]:
            images[index] = image
            continue
        with faults.collect():
            raise InputError(
                f"{printable(file)}: found {_dimensions(image)}, expected {_dimensions(images[0])} as in "
                f"{printable(first)}; data.images.resize brings images to one size"
            )
    faults.check()
    return images


def _allocate(count: int, first: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an array for so many images like the first, or raise InputError if that takes too much memory."""
    needed = count * prod(first.shape)
    if needed > LARGEST:
        raise InputError(
            f"data.images.resize: found {count:,} images of {_dimensions(first)}, which are {needed:,} bytes, "
            f"expected at most {LARGEST:,}"
        )
    return np.empty((count, *first.shape), np.uint8)


def _dimensions(image: npt.NDArray[np.uint8]) -> str:
    height, width, _ = image.shape
    return f"{height} × {width} pixels"
