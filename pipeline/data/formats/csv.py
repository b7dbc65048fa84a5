"""Read CSV tables of images: one image a line, its label first, then its pixels row by row, perhaps below a header."""

import math
import re
import warnings
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from pipeline.io import InputError

BYTE = re.compile(r"\s*\+?0*(25[0-5]|2[0-4]\d|1?\d?\d)\s*", re.ASCII)
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
FORM = "the label first, then the pixels"


def read_table(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read images, uint8 of shape (n, side, side), and labels, uint8 of shape (n,).

    A first line whose first field is ``label`` is a header, of as many columns. Empty lines are passed over.

    Raises:
        InputError: A value is no integer from 0 to 255; the message names line and column. A line has another number
            of columns. The pixels do not form a square. The label does not come first.
    """
    header = _header(path)
    try:
        with _open(path) as file, warnings.catch_warnings(action="error"):  # numpy warns of a table without rows
            table = np.loadtxt(file, np.uint8, delimiter=",", comments=None, skiprows=1 if header else 0, ndmin=2)
    except (ValueError, UserWarning) as error:
        raise InputError(f"{path}: {_first_fault(path)}") from error
    if header and len(header) != table.shape[1]:
        raise InputError(f"{path}: line 1: found a header of {len(header)} columns, expected {table.shape[1]} as below")
    labels, pixels = table[:, 0], table[:, 1:]
    side = math.isqrt(pixels.shape[1])
    if side == 0 or side**2 != pixels.shape[1]:
        more = math.isqrt(max(pixels.shape[1] - 1, 0)) ** 2 == pixels.shape[1] - 1 > 0
        advice = "; is one of them an index, which pandas leaves out with index=False?" if more else ""
        raise InputError(
            f"{path}: found {table.shape[1]} columns, expected a label and a square number of pixels{advice}"
        )
    if not header:
        _check_label_column(path, labels, table[:, -1])
    return pixels.reshape(-1, side, side), labels.copy()


def _check_label_column(path: Path, first: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8]) -> None:
    """Raise InputError if the last column looks like labels and the first does not.

    Labels run from 0 or 1 without gaps, as pixels hardly do.
    """
    values, last_values = np.unique(first).tolist(), np.unique(last).tolist()
    if len(values) == 1 < len(last_values):
        found = f"found {values[0]} first in every line"
    elif _are_consecutive(last_values) and not _are_consecutive(values):
        first_range, last_range = (f"{kind[0]} to {kind[-1]}" for kind in (values, last_values))
        found = f"found {len(values)} values from {first_range} first, all from {last_range} last"
    else:
        return
    advice = "does the label come last? If not, a header that begins with label says so"
    raise InputError(f"{path}: {found}, expected {FORM}; {advice}")


def _are_consecutive(values: list[int]) -> bool:
    return len(values) > 1 and values[0] <= 1 and values[-1] - values[0] == len(values) - 1


def row_place(path: Path, image: int) -> str:
    """Return the line of an image, found by a second reading. Images count from 0."""
    header = 1 if _header(path) else 0
    with _open(path) as file:
        rows = (number for number, line in enumerate(file, start=1) if line != "\n" and number > header)
        return f"{path}: line {next(islice(rows, image, None))}"


def _open(path: Path) -> TextIO:
    """Open the text after a byte order mark. Bytes that are no text turn into a character that is no number."""
    return path.open(encoding="utf-8-sig", errors="replace")


def _header(path: Path) -> list[str]:
    """Return the fields of the header line, none if there is no such line.

    Raises InputError if the first line has another separator, or is a header that does not begin with ``label``.
    """
    with _open(path) as file:
        line = file.readline().rstrip("\n")
    fields = [field.strip(' "') for field in line.split(",")]
    names = [field.lower() for field in fields]
    if names[0] == "label":
        return fields
    for separator, name in SEPARATORS.items():
        if len(line.split(separator)) > max(2, len(fields)) and (separator != " " or len(fields) == 1):
            raise InputError(f"{path}: line 1: found fields apart by {name}, expected commas")
    if "label" in names:
        raise InputError(f"{path}: line 1: found label in column {names.index('label') + 1}, expected {FORM}")
    if len(fields) > 1 and not any(NUMBER.fullmatch(field) for field in fields[:2]):
        raise InputError(f"{path}: line 1: found a header that begins with {fields[0][:20]!r}, expected 'label'")
    return []


def _first_fault(path: Path) -> str:
    """Say where the table breaks off and why, by a slow second reading."""
    columns, header = 0, _header(path)
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip("\n").split(",")
            if line == "\n" or (number == 1 and header):
                continue
            columns = columns or len(fields)
            if len(fields) != columns:
                return f"line {number}: found {len(fields)} columns, expected {columns} as in the lines before"
            for column, field in enumerate(fields, start=1):
                if not BYTE.fullmatch(field):
                    found = f"line {number}, column {column}: found {field[:20]!r}"
                    return f"{found}, expected an integer from 0 to 255{_advice(field, column)}"
    return "found no images, expected one a line"


def _advice(field: str, column: int) -> str:
    """Return what is likely wrong with a field that is no byte, to go at the end of the message."""
    if not NUMBER.fullmatch(field):
        return ""
    if column == 1:
        return " as the label; is it an index, which pandas leaves out with index=False?"
    return "; pixels from 0 to 1 have to be multiplied by 255 and rounded" if 0 <= float(field) <= 1 else ""
