"""Read the IDX format of LeCun's MNIST: a magic number, the dimensions, then one unsigned byte a value."""

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.io import InputError

UNSIGNED_BYTE = 0x08


def read_images(path: Path) -> npt.NDArray[np.uint8]:
    """Read images, uint8 of shape (n, height, width).

    Raises InputError when the file is not IDX of unsigned bytes in three dimensions, or is cut short or too long.
    """
    return _read(path, dimensions=3)


def read_labels(path: Path) -> npt.NDArray[np.uint8]:
    """Read labels, uint8 of shape (n,).

    Raises InputError when the file is not IDX of unsigned bytes in one dimension, or is cut short or too long.
    """
    return _read(path, dimensions=1)


def _read(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read an array. The header is checked against the file's length first, so that it cannot ask for more memory."""
    header = 4 + 4 * dimensions
    with path.open("rb") as file:
        start = file.read(header)
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if start[:4] != magic:
        raise InputError(f"{path}: found magic number 0x{start[:4].hex()}, expected 0x{magic.hex()}")
    if len(start) < header:
        raise InputError(f"{path}: found {len(start)} bytes, expected a header of {header}")
    shape = struct.unpack(f">{dimensions}I", start[4:])
    sizes = " × ".join(map(str, shape))
    if 0 in shape:
        raise InputError(f"{path}: found dimensions {sizes}, expected at least 1 each")
    found, expected = path.stat().st_size, header + math.prod(shape)
    if found != expected:
        raise InputError(f"{path}: found {found:,} bytes, expected {expected:,} for the header's dimensions {sizes}")
    return np.fromfile(path, dtype=np.uint8, offset=header).reshape(shape)


def label_place(path: Path, image: int) -> str:
    """Return where the label of an image stands. Images count from 0."""
    return f"{path}: image {image:,} (counted from 0)"
