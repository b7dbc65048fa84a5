"""Save a file of any source, checked against its SHA-256. The simplest source, a local folder, is here too."""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pipeline.config_data import RawFile
from pipeline.io import atomic_write

LARGEST = 2 * 2**30  # bytes, compressed or not; the largest set of the family, EMNIST, has 0.5 GiB of images
BLOCK = 2**20

LOCAL = Path("data/local")  # which DVC watches, but no folder that a link inside leads to; may be a link itself

Opener = Callable[[str], AbstractContextManager[io.BufferedIOBase]]
"""Opens a source's file of the given name, decompressed. Raises SourceError with the reason if it cannot."""


class SourceError(Exception):
    """Raised when a source cannot give a file. The message is the reason."""


class SourceUnavailableError(SourceError):
    """Raised when a source cannot give any file, so the remaining files are not tried."""


def save_verified(stream: io.BufferedIOBase, file: RawFile, target: Path) -> None:
    """Save the decompressed bytes of a stream if they have the SHA-256 that is pinned.

    Args:
        stream: What the source gives for the file.
        file: The file's name and pinned SHA-256.
        target: The path to write. It stays as it was when an error is raised.

    Raises:
        SourceError: The stream is no complete gzip file where it should be one, is larger than `LARGEST`, or has
            another SHA-256.
    """
    digest = hashlib.sha256()
    size = 0
    with atomic_write(target) as temporary:
        with temporary.open("wb") as output:
            for block in _blocks(stream):
                size += len(block)
                if size > LARGEST:
                    raise SourceError(f"found more than {LARGEST:,} bytes decompressed, the most that is accepted")
                digest.update(block)
                output.write(block)
        if file.sha256 not in (None, digest.hexdigest()):
            raise SourceError(f"found {size:,} bytes of SHA-256 {digest.hexdigest()}, expected {file.sha256}")


def _blocks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Read to the end. Only the reading is guarded, so that a full disk is not blamed on the source."""
    while True:
        try:
            block = stream.read(BLOCK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"not a complete gzip file: {error}") from error
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}") from error
        if not block:
            return
        yield block


@contextmanager
def local_folder(folder: Path) -> Iterator[Opener]:
    """Offer the files that lie in `folder` as NAME or NAME.gz.

    Raises SourceUnavailableError if there is no such folder.
    """
    try:
        if not folder.is_dir():
            raise SourceUnavailableError("there is no such folder")
    except OSError as error:
        raise SourceUnavailableError(f"cannot be opened: {error.strerror}") from error

    def open_file(name: str) -> io.BufferedIOBase:
        return open_first([folder / name, folder / f"{name}.gz"])

    yield open_file


def is_watched(folder: Path) -> bool:
    """Return whether DVC notices a change of the files in `folder`: it does below data/local, but not behind links."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(LOCAL))


def open_first(paths: list[Path]) -> io.BufferedIOBase:
    """Open the first of `paths` that is a file, and decompress one that ends in ``.gz``.

    Raises SourceError if there is none or it cannot be opened.
    """
    try:
        for path in paths:
            if path.is_file():
                return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise SourceError(f"cannot be opened: {error.strerror}") from error
    raise SourceError("it is not there, gzipped or plain")
