"""Check the container's files as far as that goes without an engine that builds them."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

DOCKERFILE = Path("Dockerfile").read_text()


def instructions(name: str) -> list[list[str]]:
    """The words of each instruction of one kind, without its flags."""
    lines = re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)
    return [[word for word in shlex.split(line) if not word.startswith("--")] for line in lines]


def dry_run(target: str, folder: Path) -> str:
    """Return the commands that make would run for a target; a prerequisite that is absent fails."""
    make = ["make", "--dry-run", target]
    return subprocess.run(make, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_image_installs_from_what_it_has_copied(tmp_path: Path) -> None:
    for *sources, target in instructions("COPY")[:-1]:
        for source in sources:
            copy = shutil.copytree if Path(source).is_dir() else shutil.copy
            copy(source, tmp_path / target)
    assert ["make", "setup"] in instructions("RUN")
    run = dry_run("setup", tmp_path)
    assert "uv sync --locked" in run
    assert all((tmp_path / script).exists() for script in re.findall(r"tools/\w+\.py", run))


def test_the_image_is_pinned_and_reproduces_without_root() -> None:
    assert re.search(r"^FROM python:\S+@sha256:[0-9a-f]{64} AS base$", DOCKERFILE, re.MULTILINE)
    assert instructions("USER") == [["pipeline"]]
    (command,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(command) == ["make", "repro"]


def test_the_image_gets_every_file_of_the_repository() -> None:
    listed = ["git", "ls-files", "--cached", "--ignored", "--exclude-from=.dockerignore"]
    assert subprocess.run(listed, capture_output=True, text=True, check=True).stdout == ""


def test_the_dev_container_uses_the_same_base() -> None:
    path = Path(".devcontainer/devcontainer.json")
    settings = json.loads(re.sub(r"^\s*//.*", "", path.read_text(), flags=re.MULTILINE))
    build = settings["build"]
    assert (path.parent / build["dockerfile"]).resolve() == Path("Dockerfile").resolve()
    assert f" AS {build['target']}\n" in DOCKERFILE
    assert [[settings["remoteUser"]]] == instructions("USER")
    make, target = settings["postCreateCommand"].split()
    assert make == "make"
    dry_run(target, Path())
