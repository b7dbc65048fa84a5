"""On a full disk each stage says which file it could not write, and what was there stays; so does DVC.

The disk is a small one in memory, which only root may mount.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.io import run
from tests.helpers.clone import ENVIRONMENT, Clone
from tests.helpers.run_stage import run_stage

SIZE = 64 * 2**20  # bytes; the clone takes some 20 MB

STAGES = {
    "download": "data/raw/train-images-idx3-ubyte",
    "preprocess": "data/prepared.npz",
    "split standard": "data/splits/standard.npz",
    "duplicates": "data/duplicates.csv",
    "evaluate mlp": "metrics/mlp.json",
    "candidate mlp": "metrics/candidate.json",
    "report": "reports/results.csv",
}
FULL = "No space left on device; free some space .*"


@pytest.fixture(scope="module")
def disk(reproduced_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A copy of the reproduced clone on a disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    subprocess.run(["cp", "--archive", f"{reproduced_folder.resolve()}/.", folder / "clone"], check=True)
    yield Clone(folder / "clone")
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(clone: Clone, room: int) -> Iterator[None]:
    """Fill the disk of `clone` but for `room` bytes."""
    filler = clone.folder.parent / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(clone.folder).free - room)
    try:
        yield
    finally:
        filler.unlink()


def results(clone: Clone) -> dict[Path, bytes]:
    folders = [clone.folder / name for name in ("data", "metrics", "reports")]
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("stage", "file"), STAGES.items())
def test_a_stage_names_the_file_it_cannot_write(
    disk: Clone, stage: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results(disk)
    name, *arguments = stage.split()
    main = import_module(f"stages.{name}").main
    monkeypatch.chdir(disk.folder)
    with filled(disk, room=0), pytest.raises(SystemExit, match="2"):
        run(partial(run_stage, main, *arguments))
    said = capsys.readouterr().err
    assert re.search(f"error: ({file}).*: {FULL}", said), said
    assert results(disk) == before


def test_a_training_names_it_and_shows_no_traceback(disk: Clone) -> None:
    """By the command, since other threads and libraries write too."""
    before = results(disk)
    with filled(disk, room=0):
        command = [sys.executable, "-m", "stages.train", "mlp"]
        done = subprocess.run(command, cwd=disk.folder, check=False, capture_output=True, text=True)
    assert re.search(f"error: (data/.*mlp|dvclive/mlp/0).*: {FULL}", done.stderr), done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert results(disk) == before


@pytest.mark.parametrize("room", [0, 8192], ids=["for nothing", "for the stage's file, not for its copy in the cache"])
def test_dvc_goes_on_when_there_is_space_again(disk: Clone, room: int) -> None:
    before = results(disk)
    disk.change("splits.standard.seed", 1 + room)
    with filled(disk, room):
        repro = ["dvc", "repro", "split@standard"]
        done = subprocess.run(repro, cwd=disk.folder, env=ENVIRONMENT, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr

    (disk.folder / ".dvc/tmp/rwlock").unlink()  # as docs/troubleshooting.md says: DVC may have been writing it
    disk.dvc("repro", "split@standard")
    assert disk.run("dvc", "status", "split@standard").strip() == "Data and pipelines are up to date."
    disk.change("splits.standard.seed", 0)
    assert disk.dvc("repro", "split@standard").restored == {"split@standard"}
    assert results(disk) == before
