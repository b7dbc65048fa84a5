"""Run trials as DVC experiments, each in a clean clone of the commit.

DVC's own queue is not used. It stashes and changes the workspace while it takes an experiment in, and shows an
experiment whose worker was killed as running for ever. A clone that is killed is thrown away, and its training can be
watched.
"""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TypeVar

from pipeline.dvc_modules import Config, Repo
from pipeline.io import InputError
from pipeline.programs import DVC, environment, git
from pipeline.sweep.trials import Trial, git_top, reference

SWEEPS = Path(".dvc/tmp/sweeps")  # git ignores it
OWN_DATA = Path("data/local")  # git does not have its files
POLL_SECONDS = 0.3
LAST_LINES = 15  # of the output of a failed experiment

Result = TypeVar("Result")
Watch = Callable[[Path], bool]
"""Looks at the folder in which a trial runs, and returns whether to stop it."""


@dataclass(frozen=True)
class Workspace:
    """The place where one sweep runs its trials.

    Attributes:
        folder: Holds the clones.
        lock: A file that each process of the sweep keeps open.
        interrupted: Set when the sweep was interrupted.
    """

    folder: Path
    lock: int
    interrupted: Event = field(default_factory=Event)


@contextmanager
def open_workspace(sweep: str) -> Iterator[Workspace]:
    """Lock the folder of a sweep, and clear away what a killed run left.

    Raises InputError while another run of the sweep, or a process that a killed run had started, is at work.
    """
    SWEEPS.mkdir(parents=True, exist_ok=True)
    with (SWEEPS / f"{sweep}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"sweep {sweep}: found it running already, expected one run at a time") from error
        folder = SWEEPS / sweep
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        try:
            yield Workspace(folder, lock.fileno())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def run_trial(trial: Trial, commit: str, workspace: Workspace, stop: Watch = lambda _: False) -> bool:
    """Run one trial and bring its experiment into this repository.

    Args:
        trial: The trial.
        commit: The commit that it changes.
        workspace: Where its clone goes.
        stop: Looks at the clone several times a second, and returns whether to stop the trial.

    Returns:
        Whether the trial ended. One that was stopped leaves no experiment.

    Raises:
        InputError: The experiment fails. The message has the end of DVC's output.
    """
    top, prefix = git_top()
    clone = (workspace.folder / trial.name).absolute()  # git fetch starts from the top folder
    git("clone", "--quiet", "--shared", "--no-checkout", str(top), str(clone))
    try:
        git("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        folder = clone / prefix
        _link_files(OWN_DATA, folder / OWN_DATA)
        _share_cache(folder)
        ended = _run_experiment(trial, folder, workspace, stop)
        if ended:
            # Fetched, not pushed: a push may be refused by hooks and settings of this repository.
            fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
            experiment = reference(commit, trial.name)
            git(*fetch, str(clone), f"{experiment}:{experiment}")
    finally:
        shutil.rmtree(clone, ignore_errors=True)
    return ended


def _link_files(source: Path, target: Path) -> None:
    """Link all files of a folder, which may be large or read-only, into another. Files that are there stay.

    A link to a folder is linked, not followed, so that DVC finds the same in both, and a link to itself does no harm.
    """
    for folder, folders, files in os.walk(source):
        place = target / os.path.relpath(folder, source)
        place.mkdir(parents=True, exist_ok=True)
        for name in [*files, *(name for name in folders if Path(folder, name).is_symlink())]:
            if not os.path.lexists(place / name):
                (place / name).symlink_to(os.path.realpath(Path(folder, name)))


def _share_cache(folder: Path) -> None:
    """Let a clone work on this repository's cache, with the settings that only this machine has.

    The cache is linked: DVC cannot write a path that is not ASCII into its settings.
    """
    link = folder / ".dvc/cache"
    with Repo(".") as repository, Config(str(folder / ".dvc")).edit("local") as local:
        for section, options in repository.config.read("local").items():
            local[section].update(options)
        local["cache"]["dir"] = os.path.relpath(link)  # which DVC writes relative to its settings
        cache = Path(repository.cache.local_cache_dir)
        cache.mkdir(parents=True, exist_ok=True)
        link.symlink_to(cache)


def _run_experiment(trial: Trial, folder: Path, workspace: Workspace, stop: Watch) -> bool:
    """Run ``dvc exp run`` in a folder; return False if `stop` or an interrupt of this process stopped it."""
    command = [*DVC, "exp", "run", "--name", trial.name]
    command += [argument for override in trial.overrides for argument in ("--set-param", override)]
    log = workspace.folder / f"{trial.name}.log"
    with log.open("w") as printed:
        process = subprocess.Popen(  # noqa: S603  # no shell
            [*command, trial.stage],
            cwd=folder,
            env=environment(),
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[workspace.lock],
        )
    while process.poll() is None:
        if workspace.interrupted.wait(POLL_SECONDS) or stop(folder):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise InputError(f"{trial.name}: `dvc exp run` ended with status {process.returncode}:\n{last}")
    return True


def run_parallel(jobs: int, calls: Sequence[Callable[[], Result]], workspace: Workspace) -> list[Result]:
    """Make all calls, some at a time. An exception other than InputError interrupts the workspace.

    Args:
        jobs: How many calls run at a time.
        calls: The calls.
        workspace: Where they run.

    Returns:
        What the calls return, in order.

    Raises:
        InputError: Some calls failed. Raised with all their messages when the others have ended.
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
            workspace.interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise
    if mistakes:
        raise InputError("\n".join(mistakes))
    return [future.result() for future in futures]
