"""Files between stages: whole or not at all, whatever stops the writing, and refused when they are damaged."""

import errno
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.io import PARTIAL, InputError, atomic_write, read_json, read_npz, run, write_npz
from tests.helpers.clone import ROOT, Clone

KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.io import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of ")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path: Path) -> Path:
    """Kill a process that is writing `path`; gives what it leaves."""
    done = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = path.parent.glob(f"{PARTIAL}{path.stem}-*")
    assert left.read_text() == "half of "
    return left


def test_a_kill_leaves_the_old_file_and_the_next_write_sweeps(tmp_path: Path) -> None:
    path, other = tmp_path / "result.csv", tmp_path / f"{PARTIAL}other-abcdefgh.csv"
    for existing in (path, other):
        existing.write_text("old")
    killed_while_writing(path)
    assert path.read_text() == "old"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_what_a_kill_leaves_belongs_to_no_output_and_no_commit(clone: Clone) -> None:
    for name in ("data/raw/x", "data/predictions/mlp.npz", "reports/figures/samples.png"):
        killed_while_writing(clone.folder / name)
    assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."
    assert clone.run("git", "status", "--short") == ""


def test_a_failure_while_writing_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as temporary:
        temporary.write_text("half of \ud800", encoding="utf-8")
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]


def full_disk(path: Path) -> None:
    with atomic_write(path), open("/dev/full", "w") as full:  # noqa: PTH123
        full.write("x")


def no_folder(path: Path) -> None:
    path.parent.joinpath("file").touch()
    with atomic_write(path.parent / "file" / "result.csv"):
        pass


def refused(path: Path) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (full_disk, "result.csv: No space left on device; free some space and run the command again"),
        (no_folder, "file: File exists"),
        (refused, "result.csv: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_one_line_and_status_2(
    refuse: Callable[[Path], None], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: refuse(tmp_path / "result.csv"))
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/{said}")


def archive(compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as packed:
        for name, content in members.items():
            packed.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


class Opens:
    """Unpickled, it writes a file."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("unpickled"),)


HUGE = npy(np.zeros(1)).replace(b"'shape': (1,), }", b"'shape': (1" + b"0" * 15 + b",), }")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive(x=npy(np.array([Opens()]))), "Object arrays cannot be loaded when allow_pickle=False"),
        (npy(np.array([Opens()])), "[Oo]bject arrays cannot be loaded"),
        (archive(x=HUGE), "(Unable to allocate|array is too big)"),
        (HUGE, "(Unable to allocate|array is too big|read)"),
        (archive(zipfile.ZIP_LZMA, x=npy(np.zeros(1))), "packed in another way"),
        (npy(np.zeros(1)), "context manager"),
        (b"", ""),
        (b"<html>", "pickled"),
    ],
    ids=["pickle", "plain pickle", "huge", "plain huge", "packed otherwise", "one array", "nothing", "page"],
)
def test_a_crafted_archive_is_refused(
    content: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "crafted.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: expected an archive of arrays, found: .*{reason}"):
        read_npz(path)
    assert [one.name for one in tmp_path.iterdir()] == ["crafted.npz"]


def test_an_archive_larger_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz(tmp_path / "zeros.npz", {"zeros": np.zeros(2**20, np.uint8)})
    assert (tmp_path / "zeros.npz").stat().st_size < 2**12
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 2**4, "SC_PAGE_SIZE": 2**12}.get)
    with pytest.raises(InputError, match=r"found: 1,048,704 bytes unpacked, more than the 65,536 of this machine's"):
        read_npz(tmp_path / "zeros.npz")


ARRAYS: dict[str, npt.NDArray[Any]] = {
    "labels": np.arange(9, dtype=np.uint8),
    "probabilities": np.linspace(0, 1, 18, dtype=np.float32),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "whole.npz"
    write_npz(path, ARRAYS)
    return path.read_bytes()


@settings(max_examples=500)
@given(data=st.data(), removed=st.integers(0, 8), inserted=st.binary(max_size=8), cut=st.booleans())
def test_a_mutated_archive_is_refused_or_holds_the_same(
    whole: bytes,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    removed: int,
    inserted: bytes,
    cut: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.npz"
    start = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:start] + inserted + (b"" if cut else whole[start + removed :]))
    try:
        found = read_npz(path)
    except InputError:
        return
    for name, array in found.items():  # one whose name was changed is missed by whoever reads it
        if name in ARRAYS:
            np.testing.assert_array_equal(array, ARRAYS[name])


@settings(max_examples=500)
@given(content=st.binary(max_size=60) | st.text('{}[]",:0123456789.eE+-NaInfity tru', max_size=20).map(str.encode))
def test_any_bytes_are_a_json_object_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    try:
        found = read_json(path)
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017  # that it is raised is not certain
    else:
        assert isinstance(found, dict)
        assert "nan" not in repr(found)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"accuracy": NaN}', '{"accuracy": -Infinity}', "[1]", "null", ""])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json: "):
        read_json(tmp_path / "metrics.json")


def test_ctrl_c_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run(interrupted)
    assert ended.value.code == 130
    assert "run the same command again to continue" in capsys.readouterr().err


def test_a_file_name_is_printed_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "schema"])
    monkeypatch.setattr("pipeline.schema.run_schema", lambda _: Path("no\n\x1b[2J").read_bytes())
    with pytest.raises(SystemExit):
        run(main)
    assert capsys.readouterr().err == "error: 'no\\n\\x1b[2J': No such file or directory\n"
