"""Read the IDX format of LeCun's MNIST: a magic number, the dimensions, then one unsigned byte a value."""

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.io import InputError

UNSIGNED_BYTE = 0x08
TYPES = {  # by the third byte of the magic number
    UNSIGNED_BYTE: "unsigned bytes",
    0x09: "signed bytes",
    0x0B: "16-bit integers",
    0x0C: "32-bit integers",
    0x0D: "32-bit floats",
    0x0E: "64-bit floats",
}
CONTENTS = {1: "labels", 3: "images"}  # by the number of dimensions, the fourth byte


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
    if (found := _name_content(start)) != (expected := _name_values(UNSIGNED_BYTE, dimensions)):
        raise InputError(f"{path}: found {found}, expected {expected}")
    if len(start) < header:
        raise InputError(f"{path}: found {len(start)} bytes, expected a header of {header}")
    shape = struct.unpack(f">{dimensions}I", start[4:])
    sizes = " × ".join(map(str, shape))
    if 0 in shape:
        raise InputError(f"{path}: found dimensions {sizes}, expected at least 1 each")
    size, promised = path.stat().st_size, header + math.prod(shape)
    if size != promised:
        raise InputError(f"{path}: found {size:,} bytes, expected {promised:,} for the header's dimensions {sizes}")
    return np.fromfile(path, dtype=np.uint8, offset=header).reshape(shape)


def _name_content(start: bytes) -> str:
    """Say what a file holds, by its first bytes."""
    if not start:
        return "an empty file"
    if start[:2] == b"\x1f\x8b":
        return "a file that is gzipped twice"
    if start[:2] != bytes(2) or len(start) < 4 or start[2] not in TYPES:
        return "another kind of file than IDX"
    return _name_values(*start[2:4])


def _name_values(kind: int, dimensions: int) -> str:
    """Say what an IDX file holds.

    >>> _name_values(0x08, 3), _name_values(0x0C, 4)
    ('images of unsigned bytes', 'values in 4 dimensions of 32-bit integers')
    """
    return f"{CONTENTS.get(dimensions, f'values in {dimensions} dimensions')} of {TYPES[kind]}"


def label_place(path: Path, image: int) -> str:
    """Return where the label of an image stands. Images count from 0."""
    return f"{path}: image {image:,} (counted from 0)"
