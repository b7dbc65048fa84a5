"""Debian packages through the real apt-get and dpkg-deb, from a small archive on this machine."""

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.config_data import DebianSource, RawFile
from pipeline.data.sources.fetch import fetch
from pipeline.io import InputError

CONTENT = b"sixty thousand images"
FILE = RawFile(name="images", sha256=hashlib.sha256(CONTENT).hexdigest())
SOURCE = DebianSource(debian="some-images")

needs_apt = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None, reason="needs apt-get and dpkg-deb"
)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with the package ``some-images``, the only one that apt knows."""
    package = tmp_path / "package"
    (package / "usr" / "share" / "some").mkdir(parents=True)
    (package / "usr" / "share" / "some" / "images.gz").write_bytes(gzip.compress(CONTENT))
    (package / "DEBIAN").mkdir()
    control = "Package: some-images\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b>\nDescription: images\n"
    (package / "DEBIAN" / "control").write_text(control)
    archive = tmp_path / "archive"
    archive.mkdir()
    built = archive / "some-images_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", package, built], check=True, capture_output=True)
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    place = f"Filename: ./{built.name}\nSize: {built.stat().st_size}\nSHA256: {digest}\n"
    (archive / "Packages").write_text(control + place)
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file://{archive} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'APT::Update::Post-Invoke {{ "touch {tmp_path}/hooked"; }};\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return archive


@needs_apt
@pytest.mark.usefixtures("archive")
def test_a_file_is_found_anywhere_in_the_package(tmp_path: Path) -> None:
    fetch([FILE], [SOURCE], tmp_path / "raw")
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == {"images": CONTENT}
    assert not (tmp_path / "hooked").exists(), "the machine's hooks concern its own lists"


@needs_apt
@pytest.mark.usefixtures("archive")
def test_a_file_that_is_not_in_the_package_is_named(tmp_path: Path) -> None:
    other = FILE.model_copy(update={"name": "labels"})
    with pytest.raises(InputError, match="debian: some-images: labels: it is not there, gzipped or plain"):
        fetch([other], [SOURCE], tmp_path / "raw")


@needs_apt
@pytest.mark.usefixtures("archive")
def test_an_unknown_package_is_named_with_the_reason_of_apt(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="debian: no-such: apt-get failed: E: Unable to locate package no-such"):
        fetch([FILE], [DebianSource(debian="no-such")], tmp_path / "raw")


@needs_apt
def test_an_archive_out_of_reach_is_named(archive: Path, tmp_path: Path) -> None:
    (archive / "Packages").unlink()
    with pytest.raises(
        InputError, match=rf"apt-get failed: [WE]: Failed to fetch file:{archive}.*; E: Unable to locate"
    ):
        fetch([FILE], [SOURCE], tmp_path / "raw")


@needs_apt
def test_a_package_other_than_the_archive_lists_is_refused(archive: Path, tmp_path: Path) -> None:
    built = archive / "some-images_1_all.deb"
    content = built.read_bytes()
    built.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"debian: some-images: apt-get failed: E: .*Hash Sum mismatch"):
        fetch([FILE], [SOURCE], tmp_path / "raw")


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="debian: some-images: apt-get is not on PATH"):
        fetch([FILE], [SOURCE], tmp_path / "raw")
