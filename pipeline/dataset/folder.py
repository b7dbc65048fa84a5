"""Files from a folder on this machine."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.dataset.delivery import Opener, SourceError, SourceUnusableError


@contextmanager
def local_folder(folder: Path) -> Iterator[Opener]:
    """Offer the files that lie in `folder` as NAME or NAME.gz.

    Raises SourceUnusableError if there is no such folder.
    """
    if not folder.is_dir():
        raise SourceUnusableError("there is no such folder")

    def open_file(name: str) -> io.BufferedIOBase:
        return open_first([folder / name, folder / f"{name}.gz"])

    yield open_file


def open_first(paths: list[Path]) -> io.BufferedIOBase:
    """Open the first of `paths` that is a file, decompressing one that ends in ``.gz``.

    Raises SourceError if there is none or it cannot be opened.
    """
    for path in paths:
        if path.is_file():
            try:
                return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
            except OSError as error:
                raise SourceError(f"cannot be opened: {error.strerror}") from error
    raise SourceError("it is not there, gzipped or plain")
