"""Measure a newcomer's first minutes in bare clones: set-up, first model, prediction, and what DVC prints."""

import argparse
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.page import ROUNDS, commit, markdown, put_into_page, seconds
from pipeline.config import ROOT, load_config
from pipeline.io import read_json, run, write_csv
from pipeline.programs import environment
from tests.helpers.clone import clone_working_tree

QUICK = "mlp"  # the model of `make quickstart`
SHOW = "dvc exp show --only-changed --drop 'data/|.*json(?!:validation.accuracy$)'"  # as in README.md
ONE_STAGE_PIPELINE = """\
stages:
  copy:
    cmd: cp source copy
    deps: [source]
    outs: [copy]
"""


@dataclass(frozen=True)
class Figure:
    """A measured figure, and the target that it should not exceed, if there is one."""

    name: str
    value: float
    target: float | None
    unit: str


def command(folder: Path, *arguments: str) -> str:
    """Run a program of this environment in a folder and return its output.

    Raises RuntimeError with the output if it fails.
    """
    done = subprocess.run(  # noqa: S603  # DVC and git with arguments of our own
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed\n{done.stdout}\n{done.stderr}")
    return done.stdout


def clone_here(folder: Path) -> None:
    """Clone this repository as it lies here, uncommitted changes too, without what DVC keeps."""
    here = Path()
    command(here, "git", "clone", "--quiet", ".", str(folder))
    listed = command(here, "git", "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        (folder / name).unlink(missing_ok=True)
        if Path(name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, folder / name)


def make_one_stage_repository(folder: Path) -> None:
    """Make a DVC repository whose one stage copies a file, up to date."""
    command(folder, "git", "init", "--quiet")
    command(folder, "dvc", "init", "--quiet")
    for setting in ("analytics", "check_update"):  # as here
        command(folder, "dvc", "config", f"core.{setting}", "false")
    (folder / "dvc.yaml").write_text(ONE_STAGE_PIPELINE)
    (folder / "source").write_text("content")
    command(folder, "dvc", "repro")


def time_command(folder: Path, *arguments: str) -> float:
    """Return the seconds of a command in a folder."""
    start = time.perf_counter()
    command(folder, *arguments)
    return time.perf_counter() - start


def gigabytes(folder: Path) -> float:
    """Return the space that a folder takes on the disk, with files that other folders share, in GB."""
    files = (Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    return sum({stat.st_ino: stat.st_blocks for stat in (file.lstat() for file in files)}.values()) * 512 / 1e9


def measure_bare_clone(folder: Path, rounds: int) -> Iterator[Figure]:
    """Set up a bare clone, train the first model, and predict.

    Predictions are by networks of one epoch, which take as long as others.
    """
    clone_here(folder)
    yield Figure("`make setup`, warm package cache", time_command(folder, "make", "setup"), None, "s")
    yield Figure("size of `.venv`", gigabytes(folder / ".venv"), 2.1, "GB")
    yield Figure("`make quickstart`", time_command(folder, "make", "quickstart"), 60, "s")
    predict = (".venv/bin/python", "-m", "pipeline", "predict", "--model")
    one = min(time_command(folder, *predict, QUICK, "--index", "15") for _ in range(rounds))
    yield Figure("`predict --index 15`", one, 1.5, "s")
    command(folder, "dvc", "exp", "run", "-S", "models.cnn1.epochs=1", "evaluate@cnn1")
    every = [str(number) for number in range(10_000)]
    many = min(time_command(folder, *predict, "cnn1", "--index", *every) for _ in range(rounds))
    yield Figure("`predict` of 10,000 images by `cnn1`", many, 5, "s")


def measure_daily_commands(folder: Path, rounds: int) -> Iterator[Figure]:
    """Reproduce all models, each for one epoch on a few hundred images, and take what DVC needs and prints."""
    config = load_config()
    names = sorted(config.models, key=lambda name: name != config.model)  # the first is the candidate
    clone = clone_working_tree(folder / "ours", names)
    clone.dvc("repro")
    clone.commit("Results")
    one_stage = folder / "one stage"
    one_stage.mkdir()
    make_one_stage_repository(one_stage)
    pairs = [[time_command(place, "dvc", "repro") for place in (clone.folder, one_stage)] for _ in range(rounds)]
    ours, theirs = map(min, zip(*pairs, strict=True))
    yield Figure("`dvc repro` with nothing to do / that of one stage", ours / theirs, 2, "")

    other = next(name for name in names if name != config.model)
    clone.run("dvc", "exp", "run", "-S", f"model={other}", "candidate")
    added = clone.run("git", "diff", "--numstat", "params.yaml").split()[0]
    yield Figure("lines of `params.yaml` that `dvc exp run -S` changes", int(added), 1, "")
    rows = clone.run("dvc", "metrics", "diff").strip().splitlines()
    yield Figure("`dvc metrics diff`", len(rows) - 1, 12, "rows")
    shown = clone.run(*shlex.split(SHOW)).splitlines()
    yield Figure("`dvc exp show`, as in the README", max(map(len, map(str.strip, shown))), 160, "columns")


def measure_full(folder: Path) -> Iterator[Figure]:
    """Reproduce everything in a bare clone."""
    clone_here(folder)
    yield Figure("`make repro`", time_command(folder, "make", "repro") / 60, 25, "min")


def first_minutes_markdown(figures: pd.DataFrame) -> str:
    """Format the table: one row per figure, with its target. `figures` has the fields of `Figure` as columns."""
    rows = [
        {
            "Figure": row["name"],
            "Here": f"{seconds(row['value'])} {row['unit']}".strip(),
            "Target, at most": "–" if pd.isna(row["target"]) else f"{row['target']:g} {row['unit']}".strip(),
        }
        for row in figures.fillna({"unit": ""}).to_dict("records")
    ]
    return markdown(rows)


def main() -> None:
    """Measure in temporary clones and write ``first_minutes.csv`` and the table of the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_minutes", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of short commands (default: %(default)s)")
    parser.add_argument("--full", action="store_true", help="also `make repro` from nothing, which takes its time")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    with TemporaryDirectory() as name:
        folder = Path(name)
        figures = [
            *measure_bare_clone(folder / "bare", options.rounds),
            *measure_daily_commands(folder, options.rounds),
            *(measure_full(folder / "full") if options.full else ()),
        ]
        record = read_json(folder / "bare" / ROOT.run(QUICK))
    table = pd.DataFrame(map(asdict, figures))
    write_csv(Path("benchmarks/first_minutes.csv"), table)
    text = (
        f"{first_minutes_markdown(table)}\nMeasured at commit {commit()} on {record['cores']} cores of "
        f"{record['processor']}; the least of {options.rounds} rounds where a command is short.\n"
    )
    put_into_page("first minutes", text)
    print(text)


if __name__ == "__main__":
    run(main)
