"""Downloads from a real HTTPS server on this machine, which plays each fault."""

import gzip
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from pipeline.config_data import RawFile, UrlSource
from pipeline.data.sources.fetch import fetch
from pipeline.io import InputError

CONTENT = b"sixty thousand images" * 1000
PACKED = gzip.compress(CONTENT)
FILE = RawFile(name="images", sha256=hashlib.sha256(CONTENT).hexdigest())

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers each path as `answers` says, and keeps the paths it was asked for."""

    block_on_close = False  # an answer that stalls must not hold up the next test

    def __init__(self) -> None:
        super().__init__(("localhost", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that turn away are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.answers.get(self.path, not_found)(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


def not_found(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


def sending(body: bytes, *, length: int | None = None, kind: str = "application/octet-stream") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def sending_without_length(body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dripping(body: bytes, seconds: float) -> Answer:
    """A byte, a pause, the next byte."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for byte in body:
            handler.wfile.write(bytes([byte]))
            time.sleep(seconds)

    return answer


def redirecting(address: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file."""
    path = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    authority.cert_pem.write_to_path(path, append=True)
    return path


@contextmanager
def running(tls: ssl.SSLContext | None) -> Iterator[Server]:
    with Server() as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def untrusted_server(certificate: Path) -> Iterator[Server]:
    """A server over HTTPS whose certificate no authority has signed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with running(tls) as server:
        yield server


@pytest.fixture
def server(untrusted_server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The same server, on a machine that trusts it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    return untrusted_server


@pytest.fixture
def plain_server() -> Iterator[Server]:
    """A server over HTTP."""
    with running(None) as server:
        yield server


def at(server: Server) -> UrlSource:
    return UrlSource(url=f"https://localhost:{server.server_port}/data")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_a_gzipped_file_is_unpacked(server: Server, tmp_path: Path) -> None:
    server.answers["/data/images.gz"] = sending(PACKED)
    fetch([FILE], [UrlSource(url=f"{at(server).url}/")], tmp_path)  # some write the address with a slash
    assert files(tmp_path) == {"images": CONTENT}


def test_a_plain_file_is_taken_if_none_is_gzipped(server: Server, tmp_path: Path) -> None:
    server.answers["/data/images"] = sending(CONTENT)
    fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {"images": CONTENT}
    assert server.asked == ["/data/images.gz", "/data/images"]


def test_a_file_may_come_without_its_length(server: Server, tmp_path: Path) -> None:
    server.answers["/data/images.gz"] = sending_without_length(PACKED)
    fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {"images": CONTENT}


def test_a_redirect_to_https_is_followed(server: Server, tmp_path: Path) -> None:
    server.answers["/data/images.gz"] = redirecting("/elsewhere")
    server.answers["/elsewhere"] = sending(PACKED)
    fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {"images": CONTENT}


def test_a_redirect_to_http_is_refused_unasked(server: Server, plain_server: Server, tmp_path: Path) -> None:
    plain_server.answers["/images.gz"] = sending(PACKED)
    server.answers["/data/images.gz"] = redirecting(f"http://localhost:{plain_server.server_port}/images.gz")
    with pytest.raises(InputError, match="images: redirected away from HTTPS"):
        fetch([FILE], [at(server)], tmp_path)
    assert plain_server.asked == []
    assert files(tmp_path) == {}


def test_a_server_that_nobody_vouches_for_is_refused(untrusted_server: Server, tmp_path: Path) -> None:
    untrusted_server.answers["/data/images.gz"] = sending(PACKED)
    with pytest.raises(InputError, match=r"no connection: .*self-signed certificate"):
        fetch([FILE], [at(untrusted_server)], tmp_path)
    assert untrusted_server.asked == []


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("images.gz", sending(flipped(PACKED)), "not a complete gzip file"),
        ("images", sending(flipped(CONTENT)), f"found 21,000 bytes of SHA-256 [0-9a-f]*, expected {FILE.sha256}"),
        ("images.gz", sending(PACKED[:-9]), "not a complete gzip file"),
        ("images.gz", sending(PACKED[:-9], length=len(PACKED)), "the connection broke"),
        ("images", sending(CONTENT[:-9], length=len(CONTENT)), "the connection broke"),
        ("images.gz", sending(b"<html>Sign in", kind="text/html; charset=utf-8"), "found an HTML page, expected data"),
        ("images.gz", sending(b"<html>Sign in"), "not a complete gzip file"),
        ("images.gz", sending(PACKED, length=2**40), "found 1,099,511,627,776 bytes announced, expected at most"),
        ("other", sending(CONTENT), "HTTP 404 for images.gz, HTTP 404 for images"),
    ],
    ids=[
        "flipped bit in gzip",
        "flipped bit",
        "cut gzip",
        "broken connection in gzip",
        "broken connection",
        "page",
        "page called data",
        "too large",
        "not there",
    ],
)
def test_a_spoilt_delivery_is_refused_and_nothing_is_left(
    server: Server, tmp_path: Path, path: str, answer: Answer, reason: str
) -> None:
    server.answers[f"/data/{path}"] = answer
    with pytest.raises(InputError, match=f"localhost:{server.server_port}/data: images: {reason}"):
        fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {}


def test_more_than_the_limit_is_refused_while_it_arrives(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.mirror.LARGEST", len(CONTENT) - 1)
    server.answers["/data/images"] = sending_without_length(CONTENT)
    with pytest.raises(InputError, match="found more than 20,999 bytes, the most that is accepted"):
        fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {}


def test_a_server_that_falls_silent_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.mirror.TIMEOUTS", (1, 0.1))
    server.answers["/data/images"] = dripping(CONTENT, seconds=0.5)
    with pytest.raises(InputError, match=r"the connection broke: .*timed out"):
        fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {}


def test_a_server_that_sends_single_bytes_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.mirror.GRACE", 0.1)
    server.answers["/data/images"] = dripping(CONTENT, seconds=0.02)
    with pytest.raises(InputError, match=r"stalled: [0-9]+ bytes in 0 seconds"):
        fetch([FILE], [at(server)], tmp_path)
    assert files(tmp_path) == {}


def test_after_a_server_that_fails_the_next_one_is_asked(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["/spoilt/images.gz"] = sending(flipped(PACKED))
    server.answers["/data/images.gz"] = sending(PACKED)
    spoilt = UrlSource(url=f"https://localhost:{server.server_port}/spoilt")
    fetch([FILE], [UrlSource(url="https://localhost:1"), spoilt, at(server)], tmp_path)
    assert files(tmp_path) == {"images": CONTENT}
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("url: https://localhost:1: no connection: ")
    assert second.startswith(f"url: {spoilt.url}: images: not a complete gzip file")
