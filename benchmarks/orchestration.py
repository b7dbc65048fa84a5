"""Time a `dvc repro` with nothing to do, against that of a repository of one stage."""

import argparse
import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.page import ROUNDS, commit, markdown, put_into_page
from pipeline.io import InputError, run, write_csv
from pipeline.programs import environment

OURS, ONE_STAGE = "this repository", "one stage"
ONE_STAGE_PIPELINE = """\
stages:
  copy:
    cmd: cp source copy
    deps: [source]
    outs: [copy]
"""


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


def time_repro(folder: Path) -> float:
    """Return the seconds of `dvc repro` in a folder."""
    start = time.perf_counter()
    command(folder, "dvc", "repro")
    return time.perf_counter() - start


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


def clone_up_to_date(folder: Path) -> None:
    """Clone this repository as it lies here, uncommitted changes too, with its results.

    Raises InputError if the results are not up to date.
    """
    here = Path()
    status = command(here, "dvc", "status")
    if "up to date" not in status:
        raise InputError(f"dvc status: found changes; run `dvc repro` first\n{status}")
    clone_here(folder)
    command(folder, "dvc", "cache", "dir", "--local", command(here, "dvc", "cache", "dir").strip())
    command(folder, "dvc", "checkout")
    command(folder, "dvc", "repro")


def make_one_stage_repository(folder: Path) -> None:
    """Make a DVC repository whose one stage copies a file, up to date."""
    command(folder, "git", "init", "--quiet")
    command(folder, "dvc", "init", "--quiet")
    for setting in ("analytics", "check_update"):  # as here
        command(folder, "dvc", "config", f"core.{setting}", "false")
    (folder / "dvc.yaml").write_text(ONE_STAGE_PIPELINE)
    (folder / "source").write_text("content")
    command(folder, "dvc", "repro")


def orchestration_markdown(runs: pd.DataFrame) -> str:
    """Format the table: the least and the largest seconds of each repository, and the ratio of the least.

    `runs` has one row per run: repository, seconds.
    """
    seconds = runs.groupby("repository", sort=False)["seconds"].agg(["min", "max"])
    rows = [
        {"`dvc repro` with nothing to do": str(name), "Least, s": f"{low:.2f}", "Largest, s": f"{high:.2f}"}
        for name, low, high in seconds.itertuples()
    ]
    ratio = seconds["min"][OURS] / seconds["min"][ONE_STAGE]
    return f"{markdown(rows)}\nThe ratio of the least is {ratio:.2f}.\n"


def main() -> None:
    """Time the runs in turn and write ``orchestration.csv`` and the table of the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each (default: %(default)s)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    rows = []
    with TemporaryDirectory() as ours, TemporaryDirectory() as one_stage:
        clone_up_to_date(Path(ours))
        make_one_stage_repository(Path(one_stage))
        for number in range(1, options.rounds + 1):
            for name, folder in ((OURS, ours), (ONE_STAGE, one_stage)):
                rows.append({"round": number, "repository": name, "seconds": time_repro(Path(folder))})
    runs = pd.DataFrame(rows)
    write_csv(Path("benchmarks/orchestration.csv"), runs)
    text = f"{orchestration_markdown(runs)}\nMeasured at commit {commit()}; {options.rounds} rounds.\n"
    put_into_page("orchestration", text)
    print(text)


if __name__ == "__main__":
    run(main)
