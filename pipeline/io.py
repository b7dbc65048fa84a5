"""Read and write the files that pass between stages, and report errors to the user.

A file appears whole or not at all. Nothing that is read is trusted.
"""

import errno
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
ARCHIVE_ERRORS = (
    BadZipFile,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
PARTIAL = ".partial-"  # prefix of a file that is being written; in .gitignore and .dvcignore
INTERRUPTED = 130  # the exit status that shells give a command that Ctrl-C ended


class InputError(ValueError):
    """Raised for a file, a parameter or an argument of the user's that is wrong.

    The message names the place, what was found and what was expected.
    """


def run(main: Callable[[], None]) -> None:
    """Run a command and turn errors of the user's into one message on stderr and exit status 2.

    `InputError` is such an error, and so is an `OSError` of the system's, such as a full disk. Ctrl-C ends the command
    with one line and exit status 130. Other exceptions are faults of the program and keep their traceback.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.strerror is None:  # raised by a library for its callers
            raise
        place = f"{printable(error.filename)}: " if isinstance(error.filename, str | Path) else ""
        advice = "; free some space and run the command again, nothing else is lost" if error.errno in DISK_FULL else ""
        print(f"error: {place}{error.strerror}{advice}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to continue, nothing finished is lost", file=sys.stderr)
        sys.exit(INTERRUPTED)


def printable(path: str | PathLike[str]) -> str:
    r"""Return a path as text on one line, quoted and escaped if it holds anything that is not printable.

    >>> printable("data/local/cat 1.png"), printable("data/local/a\nb.png")
    ('data/local/cat 1.png', "'data/local/a\\nb.png'")
    """
    text = fspath(path)
    return text if text.isprintable() else repr(text)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with the same suffix, and rename it to `path` on success.

    When the block fails, the temporary file is removed and `path` stays as it was. The next write of `path` removes
    what a killed process left; until then git and DVC ignore it. An OSError without a file name, such as that of a full
    disk, gets the name of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{PARTIAL}{path.stem}-"
    for leftover in path.parent.glob(f"{escape(prefix)}????????{escape(path.suffix)}"):
        leftover.unlink(missing_ok=True)
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
    """Write a file's content to the disk, so that a power cut after the renaming does not leave an empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def require_output(path: Path, stage: str) -> Path:
    """Return `path`, or raise InputError that names the stage to run if it does not exist."""
    if not path.exists():
        raise InputError(f"{path}: file not found; run `dvc repro {stage}`")
    return path


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike], compressed: bool = True) -> None:
    """Write named arrays. Equal arrays give equal bytes.

    Args:
        path: The archive to write.
        arrays: Arrays by name.
        compressed: Whether to compress them.
    """
    save = np.savez_compressed if compressed else np.savez
    with atomic_write(path) as temporary:
        save(temporary, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle as a name


def read_npz(path: Path, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an archive, or only those with one of the names.

    Raises InputError if the file is damaged, of another kind, larger than the memory, or holds pickled objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            _check_members(archive.zip)
            return {name: archive[name] for name in archive.files if names is None or name in names}
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: expected an archive of arrays, found: {error}") from error


def _check_members(archive: ZipFile) -> None:
    """Raise ValueError if the members do not fit into memory, or are compressed in a way that NumPy does not use."""
    size = sum(member.file_size for member in archive.filelist)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise ValueError(f"{size:,} bytes unpacked, more than the {memory:,} of this machine's memory")
    for member in archive.filelist:
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError(f"{member.filename} packed in another way than NumPy does")


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in their order. NaN and infinity raise ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises InputError if the file holds anything else, or NaN or infinity.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: expected JSON, found: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: found a {type(value).__name__}, expected a JSON object")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant}, which JSON does not have")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table with a header line and without its index."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)
