import gzip
import hashlib
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.config_data import FolderSource, IdxData, RawFile, Source, UrlSource
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


WATCHED = "its sha256 is null, so that only data/local may deliver it, not through a link"


def test_a_file_that_is_not_pinned_comes_from_data_local_only(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (source / "table.csv").write_bytes(b"elsewhere")
    own = Path("data/local/own")
    own.mkdir(parents=True)
    (own / "table.csv").write_bytes(CONTENT)
    Path("data/local/link").symlink_to(source)
    refused: list[Source] = [
        UrlSource(url="https://localhost:1"),
        at(source),
        at(Path("data/local/link")),
        at(own / "../link"),
    ]
    fetch([UNPINNED], [*refused, at(own)], Path("raw"))
    assert Path("raw/table.csv").read_bytes() == CONTENT
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{kind}: {where}: table.csv: {WATCHED}" for [(kind, where)] in refused]


def test_data_local_itself_may_be_a_link(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (source / "table.csv").write_bytes(CONTENT)
    Path("data").mkdir()
    Path("data/local").symlink_to(source)
    fetch([UNPINNED], [FolderSource(folder="data/local")], Path("raw"))
    assert Path("raw/table.csv").read_bytes() == CONTENT


# What a folder's name is, and why it delivers nothing.
WRONG = {
    "too long": ("a" * 300, "cannot be opened: File name too long"),
    "a file": ("source/images", "there is no such folder"),
    "a link to itself": ("loop", "there is no such folder"),
    "one of links": ("links", "images: it is not there, gzipped or plain"),
    "one of folders": ("folders", "images: it is not there, gzipped or plain"),
    "one that cannot be read": ("memory", "images: cannot be read: Input/output error"),
}


@pytest.mark.parametrize(("folder", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_folder_is_one_line(
    folder: str, reason: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (source / "images").write_bytes(CONTENT)
    Path("loop").symlink_to("loop")
    for name, target in {"links": "images", "memory": "/proc/self/mem"}.items():
        Path(name).mkdir()
        Path(name, "images").symlink_to(target)
    Path("folders/images").mkdir(parents=True)
    with pytest.raises(InputError) as error:
        fetch([FILE], [FolderSource(folder=folder)], Path("raw"))
    first, second = str(error.value).split("\n")
    assert first == "data.sources: found none that delivers images:"
    assert second == f"  folder: {folder}: {reason}"
