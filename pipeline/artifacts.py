"""Read and write the files that pass between stages; a file appears whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with the same suffix; on success it takes `path`'s place.

    When the block fails, the temporary file goes and what stood at `path` stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's files are private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write named arrays, compressed; equal arrays give equal bytes."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle as a name


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays that `write_npz` wrote; a pickled object in the file raises ValueError."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given; NaN and infinity raise ValueError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON value."""
    return json.loads(path.read_text())


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with a header line and without its index."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
