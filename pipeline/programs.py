"""DVC and git, as a user calls them."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.errors import InputError


def dvc(*arguments: str) -> str:
    """Run the DVC of this environment; gives what it printed.

    Raises InputError with DVC's message if it fails.
    """
    return _output([sys.executable, "-m", "dvc", *arguments])


def git(*arguments: str) -> str:
    """Run git; gives what it printed.

    Raises InputError with git's message if it fails.
    """
    return _output(["git", *arguments])


def environment() -> dict[str, str]:
    """That of this process, where `python`, which DVC's stages run, is the Python of this process."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def is_ignored(path: str) -> bool:
    """Whether git is told to ignore `path`, as DVC tells it for what lies in the cache."""
    return _run(["git", "check-ignore", path, f"{path}/"]).returncode == 0  # a pattern may be for folders


def _output(command: list[str]) -> str:
    done = _run(command)
    if done.returncode:
        raise InputError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
