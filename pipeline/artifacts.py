"""Read and write the files that pass between stages; a file appears whole or not at all."""

import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import InputError

DAMAGES = (BadZipFile, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError, zlib.error)
PARTIAL = ".partial-"  # begins the name of a file that is being written; in .gitignore and .dvcignore


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with the same suffix; on success it takes `path`'s place.

    When the block fails, the temporary file goes and what stood at `path` stays. What a killed process left goes the
    next time that `path` is written; until then git and DVC ignore it.

    An OSError that names no file or the temporary one, as that of a full disk does, comes to name `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PARTIAL}{path.stem}-"
    for left in path.parent.glob(f"{escape(prefix)}????????{escape(path.suffix)}"):
        left.unlink(missing_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            _flush(temporary)
            temporary.chmod(0o644)  # mkstemp's files are private
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is None or Path(error.filename).name.startswith(prefix):
            error.filename = str(path)
        raise


def _flush(path: Path) -> None:
    """Bring a file's content to the disk, so that a power cut after its renaming does not leave an empty one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def existing(path: Path, stage: str) -> Path:
    """Give `path` back.

    Raises InputError naming the stage that makes it if it does not exist.
    """
    if not path.exists():
        raise InputError(f"{path}: found no such file; `dvc repro {stage}` makes it")
    return path


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike], compressed: bool = True) -> None:
    """Write named arrays; equal arrays give equal bytes."""
    save = np.savez_compressed if compressed else np.savez
    with replacing(path) as temporary:
        save(temporary, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle as a name


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays that `write_npz` wrote.

    Raises InputError if the file is damaged, of another kind, larger than the memory, or holds pickled objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            _check_members(archive.zip)
            return dict(archive)
    except DAMAGES as error:
        raise InputError(f"{path}: expected an archive of arrays, found: {error}") from error


def _check_members(archive: ZipFile) -> None:
    """Raise ValueError if the members would not fit into the machine's memory, or are packed in an unusual way."""
    size = sum(member.file_size for member in archive.filelist)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise ValueError(f"{size:,} bytes unpacked, more than the {memory:,} of this machine's memory")
    for member in archive.filelist:
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"{member.filename} packed in another way than NumPy does")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given; NaN and infinity raise ValueError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises InputError if the file holds anything else, or NaN or infinity.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse)
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: expected JSON, found: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: found a {type(value).__name__}, expected a JSON object")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant}, which is no number")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with a header line and without its index."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
