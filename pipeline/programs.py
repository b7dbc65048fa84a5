"""Run DVC and git as a user calls them, and read what they record."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.io import InputError

DVC = (sys.executable, "-P", "-m", "dvc")  # -P: a random.py here is not Python's
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Recorded(NamedTuple):
    """The MD5 and the number of files that DVC records of a path; "" where it records no MD5."""

    md5: str
    files: int


class Locked(NamedTuple):
    """The files that a stage read and wrote, by path, its parameters by file, and its command."""

    deps: Mapping[str, Recorded]
    outs: Mapping[str, Recorded]
    params: Mapping[str, Mapping[str, Any]]
    command: str


def dvc(*arguments: str) -> str:
    """Run the DVC of this environment and return what it printed.

    Raises InputError with DVC's message if it fails.
    """
    return _text(_output([*DVC, *arguments]))


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


def current_commit() -> str:
    """Return the full hash of the commit, with ``-dirty`` if tracked files have changed since.

    Raises InputError outside of a git repository, or before its first commit.
    """
    return git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=40").strip()


def md5(source: Path | bytes) -> str:
    """Return the MD5 of a file or of bytes, in hexadecimal digits."""
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def read_lock(path: Path, commit: str | None = None) -> Mapping[str, Locked]:
    """Read a lock file in the working tree or in a commit. A ``.dvc`` file is a stage of its own name.

    Args:
        path: The file.
        commit: The commit, or None for the working tree.

    Returns:
        The stages by name; none without a file.

    Raises:
        InputError: The file is empty, lacks keys or has conflict markers.
    """
    if not (git("ls-tree", "--name-only", commit, "--", str(path)) if commit else path.exists()):
        return {}
    return _parse_lock(path, git_bytes("show", f"{commit}:./{path}") if commit else path.read_bytes())


@cache
def _parse_lock(path: Path, text: bytes) -> Mapping[str, Locked]:
    try:
        content = YAML(typ="safe").load(text)
        stages = {str(path): content} if path.suffix == ".dvc" else content["stages"]
        return {
            str(name): Locked(
                _recorded(stage.get("deps") or []),
                _recorded(stage.get("outs") or []),
                dict(stage.get("params") or {}),
                str(stage.get("cmd", "")),
            )
            for name, stage in stages.items()
        }
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError, YAMLError) as error:
        found = " ".join(str(error).split()) if isinstance(error, YAMLError) else "absent keys or wrong values"
        advice = f"resolve its conflicts or run `git restore {path}`, then `dvc repro`"
        raise InputError(f"{path}: expected a file as DVC writes it, found: {found}; {advice}") from error


def _recorded(items: list[dict[str, Any]]) -> dict[str, Recorded]:
    found = {}
    for item in items:
        recorded = str(item.get("md5", ""))
        found[str(item["path"])] = Recorded(recorded if MD5.fullmatch(recorded) else "", int(item.get("nfiles", 1)))
    return found


@contextmanager
def dependency_group(group: str, place: str) -> Iterator[None]:
    """Raise InputError that names the place and the dependency group if the block needs a package that is absent."""
    try:
        yield
    except ModuleNotFoundError as error:
        advice = f"run `uv sync --inexact --locked --group {group}`"
        raise InputError(f"{place}: the package {error.name} is not installed; {advice}") from error


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
