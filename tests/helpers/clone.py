"""A temporary clone of this repository on a few hundred images, and what DVC does in it."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "tests" / "data"
# For all that tests start: compiled modules are kept, else each process compiles TensorFlow; DVC sends no statistics.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["DVC_NO_ANALYTICS"] = "1"
# Without what `make test` sets for the processes below it, since readers do not run commands inside make.
OUTSIDE_MAKE = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
ENVIRONMENT = OUTSIDE_MAKE | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(Path(__file__).parent / "environment"),
    **{f"GIT_{role}_{key}": "tests@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")},
}


class Repro(NamedTuple):
    """What one run of DVC did: stages whose command ran, and stages whose outputs came from the cache."""

    ran: set[str]
    restored: set[str]

    @classmethod
    def printed_in(cls, output: str) -> "Repro":
        """Read it from what DVC printed."""
        ran = re.findall(r"Running stage '(\S+)'", output)
        restored = re.findall(r"Stage '(\S+)' is cached - skipping run", output)
        return cls(set(ran), set(restored))


class Clone:
    """A clone in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> str:
        """Run a command as README's readers do, in the activated environment; gives what it printed."""
        done = subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *arguments: str) -> Repro:
        """Run a command of DVC that reproduces stages."""
        return Repro.printed_in(self.run("dvc", *arguments))

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def change(self, key: str, value: Any) -> None:
        """Set one parameter, given with dots, in ``params.yaml``."""
        params = self.params()
        section = params
        *sections, last = key.split(".")
        for name in sections:
            section = section[name]
        section[last] = value
        self.write_params(params)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the first `old` in a file."""
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new, 1))

    def params(self) -> Any:
        """Read ``params.yaml`` as it stands."""
        return YAML().load(self.folder / "params.yaml")

    def write_params(self, params: Any) -> None:
        """Write ``params.yaml``."""
        YAML().dump(params, self.folder / "params.yaml")


def clone_working_tree(folder: Path, models: list[str]) -> Clone:
    """Clone this repository as it lies here, uncommitted changes too, on the images of ``tests/data``.

    Only `models` stay, each trained for one epoch; the first is the candidate.
    Results and the frontier are left behind.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    results = ("metrics/", "reports/", "frontier/", "dvc.lock")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(results):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    clone = Clone(folder)
    params = clone.params()
    params["data"]["sources"] = [{"folder": str(IMAGES)}]
    for file in params["data"]["idx"].values():
        if file:  # not `transposed`
            packed = (IMAGES / f"{file['name']}.gz").read_bytes()
            file["sha256"] = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    for split in params["splits"].values():
        split["validation_size"] = 0.2
    params["model"] = models[0]
    params["models"] = {name: params["models"][name] | {"epochs": 1, "seeds": [0]} for name in models}
    clone.write_params(params)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit("The repository")
    return clone


def add_frontier(clone: Clone, model: str) -> None:
    """Bring the frontier pipeline, which clones lack, with one model that trains for one epoch."""
    for name in ("dvc.yaml", "params.yaml"):
        (clone.folder / "frontier").mkdir(exist_ok=True)
        shutil.copy2(ROOT / "frontier" / name, clone.folder / "frontier" / name)
    path = clone.folder / "frontier" / "params.yaml"
    params = YAML().load(path)
    params["models"] = {model: params["models"][model] | {"epochs": 1, "seeds": [0]}}
    YAML().dump(params, path)
    clone.commit("The frontier")
