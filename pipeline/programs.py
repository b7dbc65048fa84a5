"""Run DVC and git as a user calls them."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.io import InputError


def dvc(*arguments: str) -> str:
    """Run the DVC of this environment and return what it printed.

    Raises InputError with DVC's message if it fails.
    """
    return _text(_output([sys.executable, "-P", "-m", "dvc", *arguments]))  # -P: a random.py here is not Python's


def git(*arguments: str) -> str:
    """Run git and return what it printed.

    Raises InputError with git's message if it fails.
    """
    return _text(git_bytes(*arguments))


def git_bytes(*arguments: str) -> bytes:
    """Run git and return the bytes that it printed, such as those of a file.

    Raises InputError with git's message if it fails.
    """
    return _output(["git", *arguments])


def environment() -> dict[str, str]:
    """Return the environment of this process in which `python`, as DVC's stages run it, is this Python."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def is_ignored(path: str) -> bool:
    """Return whether git ignores `path`, as DVC makes it do for outputs in the cache."""
    return _run(["git", "check-ignore", path, f"{path}/"]).returncode == 0  # a pattern may be for folders


def _output(command: list[str]) -> bytes:
    done = _run(command)
    if done.returncode:
        raise InputError(f"{' '.join(command)}: {_text(done.stderr or done.stdout).strip()}")
    return done.stdout


def _text(output: bytes) -> str:
    return output.decode(errors="backslashreplace")


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # no shell
