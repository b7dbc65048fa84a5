"""Fetch files from a package of the machine's Debian or Ubuntu archive, without installing it."""

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.data.sources.base import Opener, SourceUnavailableError, open_first

LONGEST = 900  # seconds a command may take

# apt-get reads this last, after the machine's own configuration. Lists and packages go to folders of our own, so
# that no root is needed; hooks of the machine concern its own lists. As root it would drop to the user _apt, who
# cannot enter our folder.
APT_CONFIGURATION = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "{root}/lists";
Dir::Cache "{root}/cache";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Sandbox::User "root";
"""


@contextmanager
def debian_package(package: str) -> Iterator[Opener]:
    """Offer the files anywhere in the newest version of `package`, by their name or name and ``.gz``.

    The package comes from the archives that the machine's apt is set up for and is checked by it.

    Raises SourceUnavailableError if there is no apt-get or dpkg-deb, or one of them fails.
    """
    for command in ("apt-get", "dpkg-deb"):
        if shutil.which(command) is None:
            raise SourceUnavailableError(f"{command} is not on PATH")
    with tempfile.TemporaryDirectory(prefix="debian-") as temporary:
        contents = _unpack(_download(package, Path(temporary)))

        def open_file(name: str) -> io.BufferedIOBase:
            found = sorted(path for path in contents.rglob("*") if path.name in (name, f"{name}.gz"))
            return open_first(found)

        yield open_file


def _download(package: str, root: Path) -> Path:
    """Fetch the package lists and the package, and return the package's path."""
    (root / "lists" / "partial").mkdir(parents=True)
    (root / "cache" / "archives" / "partial").mkdir(parents=True)
    (root / "apt.conf").write_text(APT_CONFIGURATION.format(root=root))
    apt_get = ["apt-get", "--config-file", "apt.conf", "--quiet"]
    updated = _run([*apt_get, "update"], root)
    # One archive of several may be out of reach and the package still be had, so only the download decides.
    downloaded = _run([*apt_get, "download", package], root)
    if downloaded.returncode != 0:
        raise SourceUnavailableError(f"apt-get failed: {_reason(updated.stderr + downloaded.stderr)}")
    return next(root.glob("*.deb"))


def _unpack(archive: Path) -> Path:
    contents = archive.parent / "contents"
    unpacked = _run(["dpkg-deb", "--extract", str(archive), str(contents)], archive.parent)
    if unpacked.returncode != 0:
        raise SourceUnavailableError(f"dpkg-deb failed: {_reason(unpacked.stderr)}")
    return contents


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`. Progress goes to the terminal, messages are kept."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603  # no shell; the package's name is checked by the schema
            command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailableError(f"{command[0]} took longer than {LONGEST} seconds") from error


def _reason(messages: str) -> str:
    """Return the first error among the messages and the last, on one line."""
    lines = messages.splitlines() or ["no message"]
    errors = [line for line in lines if line.startswith(("E:", "W: Failed to fetch"))] or lines
    return "; ".join(dict.fromkeys([errors[0], errors[-1]]))
