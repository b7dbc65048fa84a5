import gzip
import hashlib
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.config_data import FolderSource, IdxData, RawFile, UrlSource
from pipeline.data.sources.fetch import fetch
from pipeline.io import InputError

CONTENT = b"sixty thousand images"
FILE = RawFile(name="images", sha256=hashlib.sha256(CONTENT).hexdigest())
UNPINNED = RawFile(name="table.csv", sha256=None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder to offer files in."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder to fetch into."""
    return tmp_path / "raw"


def at(folder: Path) -> FolderSource:
    return FolderSource(folder=str(folder))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("name", "content"), [("images", CONTENT), ("images.gz", gzip.compress(CONTENT, mtime=0))])
def test_a_plain_or_gzipped_file_is_saved_decompressed(source: Path, raw: Path, name: str, content: bytes) -> None:
    (source / name).write_bytes(content)
    fetch([FILE], [at(source)], raw)
    assert names(raw) == ["images"]
    assert (raw / "images").read_bytes() == CONTENT


def test_the_real_files_have_the_pinned_names(data_folder: Path, raw_folder: Path, raw: Path) -> None:
    data = load_config().data
    assert isinstance(data, IdxData)
    files = [
        file.model_copy(update={"sha256": hashlib.sha256((raw_folder / file.name).read_bytes()).hexdigest()})
        for file in data.idx.files
    ]
    fetch(files, [at(data_folder)], raw)
    assert names(raw) == names(raw_folder)
    for name in names(raw):
        assert (raw / name).read_bytes() == (raw_folder / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("images", CONTENT[:-1] + b"t", f"found 21 bytes of SHA-256 .*, expected {FILE.sha256}"),
        ("images", CONTENT[:-1], "found 20 bytes of SHA-256"),
        ("images", CONTENT + b"\0", "found 22 bytes of SHA-256"),
        ("images.gz", gzip.compress(CONTENT, mtime=0)[:-9], "not a complete gzip file"),
        ("images.gz", gzip.compress(CONTENT, mtime=0)[:-8] + bytes(8), "not a complete gzip file"),
        ("images.gz", CONTENT, "not a complete gzip file"),
        ("labels", CONTENT, "it is not there, gzipped or plain"),
    ],
)
def test_other_content_than_pinned_is_refused_without_a_trace(
    source: Path, raw: Path, name: str, content: bytes, reason: str
) -> None:
    (source / name).write_bytes(content)
    with pytest.raises(InputError, match=reason):
        fetch([FILE], [at(source)], raw)
    assert not raw.exists() or names(raw) == []


def test_more_than_the_limit_is_refused_in_decompression(
    source: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.sources.base.LARGEST", 2**20)
    (source / "images.gz").write_bytes(gzip.compress(bytes(2**21), mtime=0))
    with pytest.raises(InputError, match="found more than 1,048,576 bytes decompressed"):
        fetch([FILE], [at(source)], raw)
    assert names(raw) == []


def test_a_source_that_fails_is_named_and_the_next_is_asked(
    source: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "images").write_bytes(CONTENT)
    fetch([FILE], [at(source / "nowhere"), at(source)], raw)
    assert capsys.readouterr().err == f"folder: {source}/nowhere: there is no such folder\n"
    assert (raw / "images").read_bytes() == CONTENT


def test_each_file_comes_from_the_first_source_that_has_it(source: Path, raw: Path) -> None:
    other = RawFile(name="labels", sha256=hashlib.sha256(b"labels").hexdigest())
    (source / "images").write_bytes(b"spoilt")
    (source / "labels").write_bytes(b"labels")
    second = source / "second"
    second.mkdir()
    (second / "images").write_bytes(CONTENT)
    fetch([FILE, other], [at(source), at(second)], raw)
    assert (raw / "images").read_bytes() == CONTENT
    assert (raw / "labels").read_bytes() == b"labels"


def test_when_all_sources_fail_the_error_lists_their_reasons(source: Path, raw: Path) -> None:
    (source / "images").write_bytes(b"spoilt")
    with pytest.raises(InputError) as error:
        fetch([FILE], [UrlSource(url="https://localhost:1"), at(source / "nowhere"), at(source)], raw)
    lines = str(error.value).splitlines()
    assert lines[0] == "data.sources: found none that delivers images:"
    assert lines[1].startswith("  url: https://localhost:1: no connection: ")
    assert lines[2] == f"  folder: {source}/nowhere: there is no such folder"
    assert lines[3].startswith(f"  folder: {source}: images: found 6 bytes of SHA-256")
    assert len(lines) == 4


def test_a_file_that_is_not_pinned_comes_from_a_folder_only(
    source: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "table.csv").write_bytes(CONTENT)
    fetch([UNPINNED], [UrlSource(url="https://localhost:1"), at(source)], raw)
    assert (raw / "table.csv").read_bytes() == CONTENT
    assert capsys.readouterr().err == (
        "url: https://localhost:1: table.csv: its sha256 is null, so that only a folder may deliver it\n"
    )
