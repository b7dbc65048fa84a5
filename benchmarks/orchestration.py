"""Time what `dvc repro` costs beside fits and predictions: with nothing to do, after one parameter changed, in full.

The run with nothing to do is profiled, and the full one divided among its stages.
"""

import argparse
import re
import shutil
import subprocess
import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from pstats import Stats
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from benchmarks.page import markdown, put_into_page, spread
from pipeline.artifacts import read_json, write_csv
from pipeline.errors import InputError, run
from pipeline.params.reading import model_named, read_params
from pipeline.programs import environment

Run = Mapping[Hashable, Any]
"""A row of the table of runs: run, seconds (wall), seconds_of_fits, seconds_of_predictions."""
NO_MODEL: Run = {"seconds_of_fits": 0.0, "seconds_of_predictions": 0.0}

MODEL = "dense128_short"  # the quickest to train, so that the rest stands out
NOTHING, CHANGE, FULL, ONE_STAGE = "nothing to do", "one parameter changed", "every stage", "one stage"
ONE_STAGE_PIPELINE = """\
stages:
  copy:
    cmd: cp source copy
    deps: [source]
    outs: [copy]
"""

# What a run with nothing to do spends its time in: functions that do not call each other, by file and name.
CAUSES = {
    "importing Python modules": ("importlib._bootstrap>", "_find_and_load"),
    "locking the files of each stage": ("dvc/rwlock.py", "_edit_rwlock"),
    "reading and checking `dvc.lock` and `dvc.yaml`": ("dvc/utils/strictyaml.py", "load"),
    "reading `params.yaml`, once a stage": ("dvc/utils/serialize/_yaml.py", "load_yaml"),
    "comparing the hashes of files": ("dvc/output.py", "get_hash"),
}


def command(folder: Path, *arguments: str) -> str:
    """Run a program of this environment in `folder`; gives what it printed.

    Raises RuntimeError with that when it fails.
    """
    done = subprocess.run(  # noqa: S603  # DVC and git with arguments of our own
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed\n{done.stdout}\n{done.stderr}")
    return done.stdout


def timed_repro(folder: Path, *arguments: str) -> float:
    """Seconds of `dvc repro` in `folder`."""
    start = time.perf_counter()
    command(folder, "dvc", "repro", *arguments)
    return time.perf_counter() - start


def timed_stages(folder: Path, *arguments: str) -> dict[str, float]:
    """Seconds of each stage that `dvc repro` in `folder` runs, until the next begins; under ``start``, until the first.

    Raises RuntimeError with what it printed when it fails.
    """
    printed, stage, start = [], "start", time.perf_counter()
    seconds: dict[str, float] = {}
    with subprocess.Popen(  # noqa: S603  # DVC with arguments of our own
        ["dvc", "repro", *arguments],  # noqa: S607  # the environment's
        cwd=folder,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            printed.append(line)
            if found := re.match(r"Running stage '(\S+)'", line):
                now = time.perf_counter()
                seconds[stage] = now - start
                stage, start = found[1], now
    if process.returncode:
        raise RuntimeError(f"dvc repro failed\n{''.join(printed)}")
    return seconds | {stage: time.perf_counter() - start}


def clone_working_tree(folder: Path) -> None:
    """Clone this repository as it lies here, uncommitted changes too, with its cache."""
    here = Path()
    command(here, "git", "clone", "--quiet", ".", str(folder))
    listed = command(here, "git", "ls-files", "-z", "--modified", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        (folder / name).unlink(missing_ok=True)
        if Path(name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, folder / name)
    command(folder, "dvc", "cache", "dir", "--local", command(here, "dvc", "cache", "dir").strip())


def bring_up_to_date(folder: Path) -> None:
    """Take the clone's outputs from the cache.

    Raises InputError when they are not there.
    """
    status = command(Path(), "dvc", "status")
    if "up to date" not in status:
        raise InputError(f"dvc status: found changes, expected results that `dvc repro` brought up to date\n{status}")
    command(folder, "dvc", "checkout")
    command(folder, "dvc", "repro")


def one_stage_repository(folder: Path) -> None:
    """A repository of DVC whose one stage copies a file, up to date."""
    command(folder, "git", "init", "--quiet")
    command(folder, "dvc", "init", "--quiet")
    for setting in ("analytics", "check_update"):  # as here
        command(folder, "dvc", "config", f"core.{setting}", "false")
    (folder / "dvc.yaml").write_text(ONE_STAGE_PIPELINE)
    (folder / "source").write_text("content")
    command(folder, "dvc", "repro")


def seconds_of_model(folder: Path, stage: str) -> Run:
    """What a stage that trains says of its run: seconds of all epochs, validation included, and of predicting.

    Of any other stage, none.
    """
    kind, _, name = stage.partition("@")
    if kind not in ("train", "distill"):
        return NO_MODEL
    record = read_json(folder / f"data/runs/{name}.json")
    return {"seconds_of_fits": record["seconds"], "seconds_of_predictions": record["seconds_predicting"]}


def profiled_repro(folder: Path) -> dict[str, float]:
    """Shares of `dvc repro` in `folder` that `CAUSES` take, and that of the rest."""
    with TemporaryDirectory() as outside:
        profile = f"{outside}/profile"
        command(folder, "python", "-m", "cProfile", "-o", profile, "-m", "dvc", "repro")
        stats = Stats(profile)
    cumulative = {(file, name): seconds for (file, _, name), (_, _, _, seconds, _) in stats.stats.items()}  # type: ignore[attr-defined]
    whole: float = stats.total_tt  # type: ignore[attr-defined]
    shares = {
        cause: sum(
            seconds for (file, name), seconds in cumulative.items() if file.endswith(ending) and name == function
        )
        / whole
        for cause, (ending, function) in CAUSES.items()
    }
    return shares | {"the rest": 1 - sum(shares.values())}


def time_change(folder: Path) -> Run:
    """Train `MODEL` for one epoch more than it has."""
    parser, path = YAML(), folder / "params.yaml"
    before = path.read_bytes()
    params = parser.load(before)
    params["models"][MODEL]["epochs"] += 1
    parser.dump(params, path)
    seconds = timed_repro(folder, "--no-run-cache")
    path.write_bytes(before)
    return {"run": CHANGE, "seconds": seconds, **seconds_of_model(folder, f"train@{MODEL}")}


def time_full(folder: Path) -> list[Run]:
    """Run every stage but the download, which is the network's time, whatever the cache has.

    Gives a row for the whole and one for the stages of each kind.
    """
    command(folder, "dvc", "repro", "download")
    seconds = timed_stages(folder, "--force", "--downstream", "preprocess")
    stages = pd.DataFrame({"seconds": whole, **seconds_of_model(folder, stage)} for stage, whole in seconds.items())
    kinds = [f"{FULL}: {stage.partition('@')[0]}" for stage in seconds]
    by_kind = stages.groupby(kinds, sort=False).sum()
    by_kind.loc[FULL] = by_kind.sum()
    return [*by_kind.rename_axis("run").reset_index().to_dict("records")]


def orchestration_markdown(runs: pd.DataFrame) -> str:
    """The table: a row a kind of run, medians; and what a run with nothing to do costs beside that of one stage.

    `runs` has a row a run.
    """
    runs = with_rest(runs)
    rows = []
    for kind in (NOTHING, CHANGE, FULL):
        found = runs[runs["run"] == kind]
        if len(found):
            run = found.median(numeric_only=True)
            rows.append(
                {
                    "`dvc repro`": kind,
                    "Wall time, s": f"{run['seconds']:.1f}",
                    "Fits, s": f"{run['seconds_of_fits']:.1f}",
                    "Predictions, s": f"{run['seconds_of_predictions']:.1f}",
                    "The rest, s": f"{run['rest']:.1f}",
                    "Its share": f"{100 * run['rest'] / run['seconds']:.0f} %",
                }
            )
    ours, theirs = (runs.loc[runs["run"] == kind, "seconds"].tolist() for kind in (NOTHING, ONE_STAGE))
    each = [one / other for one, other in zip(ours, theirs, strict=True)]
    return (
        f"{markdown(rows)}\nWith nothing to do it takes {median(ours) / median(theirs):.2f} times as long as in a "
        f"repository of one stage ({median(theirs):.1f} s; ratios of {len(each)} rounds: {spread(each)}).\n"
    )


def with_rest(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with a column `rest`: the seconds that are neither fits nor predictions."""
    return runs.assign(rest=runs["seconds"] - runs["seconds_of_fits"] - runs["seconds_of_predictions"])


def stages_markdown(runs: pd.DataFrame) -> str:
    """The table of the full run: a row for the stages of each kind, those first whose rest is largest."""
    kinds = with_rest(runs)[runs["run"].str.startswith(f"{FULL}: ")].set_index("run")
    whole = kinds["seconds"].sum()
    return markdown(
        [
            {
                "Stage": f"`{str(kind).removeprefix(f'{FULL}: ')}`",
                "The rest, s": f"{seconds:.1f}",
                "Share of the run": f"{100 * seconds / whole:.1f} %",
            }
            for kind, seconds in kinds["rest"].sort_values(ascending=False).items()
        ]
    )


def profile_markdown(shares: Mapping[str, float]) -> str:
    """The table: a row a cause, the largest first and the rest last."""
    *causes, rest = shares.items()
    causes.sort(key=lambda cause: -cause[1])
    return markdown([{"With nothing to do": name, "Share": f"{100 * share:.0f} %"} for name, share in (*causes, rest)])


def main() -> None:
    """Time the runs and write ``orchestration.csv`` and the table of the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs with nothing to do (default: 5)")
    parser.add_argument("--full", action="store_true", help="the full run too, which trains every model")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    model_named(read_params(), MODEL)

    runs: list[Run] = []

    def note(found: Run) -> None:
        print(f"{found['run']}: {found['seconds']:.1f} s", flush=True)
        runs.append(found)

    with TemporaryDirectory() as ours, TemporaryDirectory() as theirs:
        print("cloning the repository", flush=True)
        clone_working_tree(Path(ours))
        if options.full:
            for found in time_full(Path(ours)):
                note(found)
        else:
            bring_up_to_date(Path(ours))
        one_stage_repository(Path(theirs))
        for _ in range(options.rounds):
            for kind, folder in ((NOTHING, ours), (ONE_STAGE, theirs)):
                note({"run": kind, "seconds": timed_repro(Path(folder)), **NO_MODEL})
        shares = profiled_repro(Path(ours))
        note(time_change(Path(ours)))
    table = pd.DataFrame(runs)
    of_stages = f"{stages_markdown(table)}\n" if options.full else ""
    text = f"{orchestration_markdown(table)}\n{of_stages}{profile_markdown(shares)}"
    print(text)
    write_csv(Path("benchmarks/orchestration.csv"), table)
    put_into_page("orchestration", text)


if __name__ == "__main__":
    run(main)
