"""Run points as DVC experiments, each in a clean clone of the commit.

Not by DVC's own queue: that stashes and changes the workspace while it takes a point in, and keeps a point whose
worker was killed as running for ever. A clone that is killed is thrown away, and its training can be watched.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TypeVar

from dvc.config import Config
from dvc.repo import Repo

from pipeline.errors import InputError
from pipeline.programs import environment, git
from pipeline.sweep.experiments import reference
from pipeline.sweep.point import Point

SWEEPS = Path(".dvc/tmp/sweeps")  # which git ignores
SECONDS_BETWEEN_LOOKS = 0.3
LAST_LINES = 15  # of what a failed experiment printed

Result = TypeVar("Result")
Watch = Callable[[Path], bool]
"""Looks at the clone in which a point runs, and says whether to stop it."""


@dataclass(frozen=True)
class Workplace:
    """The folder of one sweep's clones; `lock` is a file that each process at work there keeps open."""

    folder: Path
    lock: int
    interrupted: Event = field(default_factory=Event)


@contextmanager
def workplace(sweep: str) -> Iterator[Workplace]:
    """Take the sweep's folder, and clear away what a killed run of it left.

    Raises InputError while another run of the sweep, or what a killed one had started, is at work.
    """
    SWEEPS.mkdir(parents=True, exist_ok=True)
    with (SWEEPS / f"{sweep}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"sweep {sweep}: found it running already, expected one run at a time") from error
        folder = SWEEPS / sweep
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield Workplace(folder, lock.fileno())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def run_point(point: Point, commit: str, place: Workplace, stop: Watch = lambda _: False) -> bool:
    """Run one point and bring the experiment into this repository; False, and no experiment, if `stop` stopped it.

    Raises InputError with the end of what DVC printed if the experiment fails.
    """
    folder = place.folder / point.name
    git("clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
    shutil.copytree("data/local", folder / "data/local", dirs_exist_ok=True)  # own data, which git does not have
    _share_cache(folder)
    try:
        ran = experiment(point, folder, place, stop)
        if ran:
            experiment_ref = reference(commit, point.name)
            git("-C", str(folder), "push", "--quiet", "origin", f"{experiment_ref}:{experiment_ref}")
    finally:
        shutil.rmtree(folder)
    return ran


def experiment(point: Point, folder: Path, place: Workplace, stop: Watch) -> bool:
    """Run `dvc exp run` for a point in a clone; False if `stop` or an interrupt of this process stopped it.

    Raises InputError with the end of what DVC printed if it fails.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", "--name", point.name]
    command += [argument for override in point.overrides for argument in ("--set-param", override)]
    log = folder.with_suffix(".log")
    with log.open("w") as printed:
        process = subprocess.Popen(  # noqa: S603  # no shell
            [*command, f"evaluate@{point.model}"],
            cwd=folder,
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[place.lock],
        )
    while process.poll() is None:
        if place.interrupted.wait(SECONDS_BETWEEN_LOOKS) or stop(folder):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise InputError(f"{point.name}: `dvc exp run` ended with status {process.returncode}:\n{last}")
    return True


def in_parallel(jobs: int, calls: Sequence[Callable[[], Result]], place: Workplace) -> list[Result]:
    """What the calls give, `jobs` of them at a time.

    Raises InputError with the messages of all that failed, when the others have ended.
    """
    mistakes = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(call) for call in calls]
        try:
            for future in futures:
                if isinstance(error := future.exception(), InputError):
                    mistakes.append(str(error))
                elif error:
                    raise error
        except BaseException:
            place.interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise
    if mistakes:
        raise InputError("\n".join(mistakes))
    return [future.result() for future in futures]


def _share_cache(folder: Path) -> None:
    """Let the clone work on this repository's cache, with the settings that only this machine has."""
    with Repo(".") as repository, Config(str(folder / ".dvc")).edit("local") as local:
        for section, options in repository.config.read("local").items():
            local[section].update(options)
        local["cache"]["dir"] = repository.cache.local_cache_dir
