"""One point on another machine: what a node of a cluster runs. Ray sends this module; it imports nothing of ours."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

LAST_LINES = 15  # of what a failed command printed


def run_remote_point(repository: str, commit: str, reference: str, overrides: Sequence[str], target: str) -> str | None:
    """Run a point as a DVC experiment in a clean clone of `repository`; send data to DVC's remote, then the reference.

    Nothing is run where the reference is there already, as when a node was lost after it had sent it.

    Gives the end of what a command printed that failed, or None.
    """
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        clone = ["git", "clone", "--quiet", "--no-checkout", repository, folder]
        dvc = [sys.executable, "-m", "dvc"]
        settings = [argument for override in overrides for argument in ("--set-param", override)]
        commands = [
            ["git", "checkout", "--quiet", "--detach", commit],
            [*dvc, "exp", "run", "--pull", "--name", reference.rpartition("/")[2], *settings, target],
            [*dvc, "push", "--with-deps", target],
            ["git", "push", "--quiet", "origin", f"{reference}:{reference}"],
        ]
        if _is_there(repository, reference):
            return None
        for command, place in [(clone, None), *((command, folder) for command in commands)]:
            done = subprocess.run(  # noqa: S603  # no shell
                command, cwd=place, env=_environment(), capture_output=True, text=True, check=False
            )
            if done.returncode and not _is_there(repository, reference):
                last = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
                return f"`{' '.join(command)}` ended with status {done.returncode}:\n{last}"
    return None


def _is_there(repository: str, reference: str) -> bool:
    listed = subprocess.run(  # noqa: S603  # no shell
        ["git", "ls-remote", repository, reference],  # noqa: S607  # git is the node's
        capture_output=True,
        check=False,
    )
    return bool(listed.stdout)


def _environment() -> dict[str, str]:
    """That of the node, without what Ray takes from a task of one core and no GPU: the point has the whole node."""
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if not environment.get("CUDA_VISIBLE_DEVICES"):
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment
