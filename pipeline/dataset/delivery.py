"""One file from any source: unpacked, checked against its SHA-256, put in place whole or not at all."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.artifacts import replacing
from pipeline.params.schema import RawFile

LARGEST = 2 * 2**30  # bytes, packed or not; the largest set of the family, EMNIST, has 0.5 GiB of images
BLOCK = 2**20

Opener = Callable[[str], AbstractContextManager[io.BufferedIOBase]]
"""Opens a source's file of the given name for reading, unpacked; raises SourceError with the reason if it cannot."""


class SourceError(Exception):
    """A source cannot give a file; the message is the reason."""


class SourceUnusableError(SourceError):
    """A source cannot give any file, so that asking for the next one is of no use."""


def deliver(stream: io.BufferedIOBase, file: RawFile, target: Path) -> None:
    """Write the unpacked bytes of `stream` to `target`.

    Raises SourceError when they are not gzip where they should be, more than `LARGEST`, or have another SHA-256
    than `file` pins; then `target` stays as it was.
    """
    digest = hashlib.sha256()
    size = 0
    with replacing(target) as temporary:
        with temporary.open("wb") as output:
            for block in _blocks(stream):
                size += len(block)
                if size > LARGEST:
                    raise SourceError(f"found more than {LARGEST:,} bytes unpacked, the most that is accepted")
                digest.update(block)
                output.write(block)
        if file.sha256 not in (None, digest.hexdigest()):
            raise SourceError(f"found {size:,} bytes of SHA-256 {digest.hexdigest()}, expected {file.sha256}")


def _blocks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Read to the end; only the reading is guarded, so that a full disk is not blamed on the source."""
    while True:
        try:
            block = stream.read(BLOCK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"not a complete gzip file: {error}") from error
        if not block:
            return
        yield block
