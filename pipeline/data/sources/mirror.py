"""Fetch files from an HTTPS mirror."""

import gzip
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from pipeline.data.sources.base import LARGEST, Opener, SourceError, SourceUnavailableError

TIMEOUTS = (10, 30)  # seconds to connect, and from one packet to the next
SLOWEST = 10_000  # bytes a second, on average after the grace: a server that sends one byte at a time has stalled
GRACE = 30  # seconds


@contextmanager
def https_mirror(url: str) -> Iterator[Opener]:
    """Offer the files below `url`, as NAME.gz or NAME, over HTTPS alone, also after redirects.

    Reading an opened file moves a progress bar. It raises SourceError when the connection breaks or stalls, or the
    file is larger than `LARGEST`.
    """
    with requests.Session() as session:
        session.adapters.pop("http://")

        @contextmanager
        def open_file(name: str) -> Iterator[io.BufferedIOBase]:
            refusals = []
            for packed in (True, False):  # the mirrors there are hold NAME.gz
                file = f"{name}.gz" if packed else name
                with _responding(session, f"{url.rstrip('/')}/{file}") as response:
                    if response.ok:
                        with tqdm(desc=file, total=_length(response), unit="B", unit_scale=True, disable=None) as bar:
                            body = _Body(response, bar.update)
                            yield gzip.GzipFile(fileobj=body) if packed else body
                        return
                    refusals.append(f"HTTP {response.status_code} for {file}")
            raise SourceError(", ".join(refusals))

        yield open_file


@contextmanager
def _responding(session: requests.Session, address: str) -> Iterator[requests.Response]:
    """Yield the response to a request. Errors of the request and of reading become SourceError."""
    try:
        response = session.get(address, headers={"Accept-Encoding": "identity"}, stream=True, timeout=TIMEOUTS)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise SourceUnavailableError(f"no connection: {_cause(error)}") from error
    except requests.exceptions.InvalidSchema as error:
        raise SourceError(f"redirected away from HTTPS: {error}") from error
    except requests.RequestException as error:
        raise SourceError(f"no answer: {error}") from error
    with response:
        try:
            yield response
        except HTTPError as error:
            raise SourceError(f"the connection broke: {error}") from error


def _length(response: requests.Response) -> int | None:
    """Return the number of bytes announced, if any.

    Raises SourceError if they are too many, or if an HTML page comes in place of data.
    """
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise SourceError("found an HTML page, expected data")
    length: int | None = response.raw.length_remaining
    if length is not None and length > LARGEST:
        raise SourceError(f"found {length:,} bytes announced, expected at most {LARGEST:,}")
    return length


def _cause(error: BaseException) -> BaseException:
    """Return the first error of the chain, which says what happened. Later ones repeat the address."""
    while error.__context__ is not None:
        error = error.__context__
    return error


class _Body(io.BufferedIOBase):
    """The body of a response as it arrives: counted, shown, refused when too large or too slow."""

    def __init__(self, response: requests.Response, show: Callable[[float], object]) -> None:
        self._raw = response.raw
        self._show = show
        self._received = 0
        self._start = time.monotonic()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, as soon as there are some."""
        block: bytes = self._raw.read1(size)
        self._received += len(block)
        self._show(len(block))
        if self._received > LARGEST:
            raise SourceError(f"found more than {LARGEST:,} bytes, the most that is accepted")
        seconds = time.monotonic() - self._start
        if block and self._received < (seconds - GRACE) * SLOWEST:
            raise SourceError(f"stalled: {self._received:,} bytes in {seconds:.0f} seconds")
        return block
