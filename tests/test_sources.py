import gzip
import hashlib
from pathlib import Path

import pytest

from pipeline.dataset.sources import fetch, raw_files
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.schema import FolderSource, RawFile, UrlSource

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
def test_a_file_is_taken_plain_or_gzipped_and_lies_there_unpacked(
    source: Path, raw: Path, name: str, content: bytes
) -> None:
    (source / name).write_bytes(content)
    fetch([FILE], [at(source)], raw)
    assert names(raw) == ["images"]
    assert (raw / "images").read_bytes() == CONTENT


def test_the_real_files_have_the_pinned_names(data_folder: Path, raw_folder: Path, raw: Path) -> None:
    files = [
        file.model_copy(update={"sha256": hashlib.sha256((raw_folder / file.name).read_bytes()).hexdigest()})
        for file in raw_files(read_params().data)
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
def test_what_is_not_the_pinned_content_is_refused_and_nothing_is_left(
    source: Path, raw: Path, name: str, content: bytes, reason: str
) -> None:
    (source / name).write_bytes(content)
    with pytest.raises(InputError, match=reason):
        fetch([FILE], [at(source)], raw)
    assert not raw.exists() or names(raw) == []


def test_more_than_the_limit_is_refused_while_it_is_unpacked(
    source: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.dataset.delivery.LARGEST", 2**20)
    (source / "images.gz").write_bytes(gzip.compress(bytes(2**21)))
    with pytest.raises(InputError, match="found more than 1,048,576 bytes unpacked"):
        fetch([FILE], [at(source)], raw)
    assert names(raw) == []


def test_a_source_that_fails_is_named_with_its_reason_and_the_next_one_is_used(
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


def test_when_all_sources_fail_the_error_lists_each_with_its_reason(source: Path, raw: Path) -> None:
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


def test_the_files_asked_for_are_those_of_the_chosen_form() -> None:
    data = read_params().data
    csv = raw_files(data.model_copy(update={"format": "csv"}))
    idx = raw_files(data.model_copy(update={"format": "idx"}))
    assert [file.name for file in csv] == [data.csv.train.name, data.csv.test.name]
    assert [file.name for file in idx] == [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]
