"""The CSV form: one image a line, its label first, then its pixels row by row; a header line may come first."""

import math
import re
import warnings
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError

BYTE = re.compile(r"\s*\+?0*(25[0-5]|2[0-4]\d|1?\d?\d)\s*", re.ASCII)


def read_table(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read images, uint8 of shape (n, side, side), and labels, uint8 of shape (n,).

    A first line whose first field is ``label`` is a header, of as many columns. Empty lines are passed over.

    Raises InputError naming line and column of the first value that is no integer from 0 to 255, the first line
    with another number of columns, or a number of pixels that is not a square.
    """
    header = _header(path)
    try:
        with _reading(path) as file, warnings.catch_warnings(action="error"):  # numpy warns of a table without rows
            table = np.loadtxt(file, np.uint8, delimiter=",", comments=None, skiprows=1 if header else 0, ndmin=2)
    except (ValueError, UserWarning) as error:
        raise InputError(f"{path}: {_first_fault(path)}") from error
    if header and len(header) != table.shape[1]:
        raise InputError(f"{path}: line 1: found a header of {len(header)} columns, expected {table.shape[1]} as below")
    labels, pixels = table[:, 0], table[:, 1:]
    side = math.isqrt(pixels.shape[1])
    if side == 0 or side**2 != pixels.shape[1]:
        raise InputError(f"{path}: found {table.shape[1]} columns, expected a label and a square number of pixels")
    return pixels.reshape(-1, side, side), labels.copy()


def _reading(path: Path) -> TextIO:
    """The text after a byte order mark; bytes that are no text turn into a character that is no number."""
    return path.open(encoding="utf-8-sig", errors="replace")


def _header(path: Path) -> list[str]:
    """The fields of the header line, none if there is no such line."""
    with _reading(path) as file:
        fields = file.readline().split(",")
    return fields if fields[0].strip(' "\n').lower() == "label" else []


def _first_fault(path: Path) -> str:
    """Where the table breaks off and why, found by a slow second reading."""
    columns = 0
    with _reading(path) as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\n").split(",")
            if line == "\n" or (number == 1 and _header(path)):
                continue
            columns = columns or len(fields)
            if len(fields) != columns:
                return f"line {number}: found {len(fields)} columns, expected {columns} as in the lines before"
            for column, field in enumerate(fields, start=1):
                if not BYTE.fullmatch(field):
                    return f"line {number}, column {column}: found {field[:20]!r}, expected an integer from 0 to 255"
    return "found no images, expected one a line"


def row_place(path: Path, image: int) -> str:
    """The line of an image, the image being counted from 0, found by a second reading."""
    header = 1 if _header(path) else 0
    with _reading(path) as file:
        rows = (number for number, line in enumerate(file, start=1) if line != "\n" and number > header)
        return f"{path}: line {next(islice(rows, image, None))}"
