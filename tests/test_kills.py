"""SIGKILL at a random moment in every stage: `dvc repro` goes on from there, as if nothing had happened.

`KILLS=20 pytest tests/test_kills.py` kills each stage that often, in place of once. A failure prints its seed;
`KILLS_SEED=…` repeats the moments.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from itertools import cycle, product
from pathlib import Path

import psutil
import pytest

from pipeline.io import PARTIAL, read_json
from tests.helpers.clone import ENVIRONMENT, Clone, clone_working_tree

KILLS = int(os.environ.get("KILLS", "1"))
SEED = os.environ.get("KILLS_SEED") or str(random.SystemRandom().randrange(10**6))

# Each stage in DVC's order, and about how many seconds it takes.
STAGES = [
    ("download", 0.8),
    ("preprocess", 0.8),
    ("split@article_d", 1.8),
    ("duplicates", 1.6),
    ("train@mlp", 8.0),
    ("evaluate@mlp", 1.8),
    ("candidate", 0.8),
    ("report", 5.0),
]

Kill = Callable[[subprocess.Popen[str]], bool]
"""Kills what runs and says whether there was anything."""


def whole_group(dvc: subprocess.Popen[str]) -> bool:
    """Kill DVC and what it started, as a power cut does."""
    alive = dvc.poll() is None
    if alive:
        os.killpg(dvc.pid, signal.SIGKILL)
    return alive


def stage_alone(dvc: subprocess.Popen[str]) -> bool:
    """Kill what DVC started, as a machine without memory does."""
    children = psutil.Process(dvc.pid).children(recursive=True) if dvc.poll() is None else []
    for child in children:
        child.kill()
    return bool(children)


WAYS = [whole_group, stage_alone]


def killed(clone: Clone, command: list[str], stage: str, moment: float, kill: Kill) -> bool:
    """Run DVC and kill `moment` seconds after it has started `stage`; whether that found something to kill."""
    environment = ENVIRONMENT | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["dvc", "repro", *command, stage],
        cwd=clone.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as dvc:
        assert dvc.stdout
        printed = []
        for line in dvc.stdout:
            printed.append(line)
            if line.startswith(f"Running stage '{stage}'"):
                time.sleep(moment)
                found = kill(dvc)
                dvc.communicate()
                return found
    if dvc.returncode != 0:  # the last kill came while DVC itself was writing: docs/troubleshooting.md says what to do
        output = "".join(printed)
        assert "dvc.lock" in output or "RWLock" in output or "join() argument must be str" in output, printed
        for name in ("dvc.lock", ".dvc/tmp/rwlock"):
            (clone.folder / name).unlink(missing_ok=True)
        clone.run("find", ".dvc/cache/runs", "-type", "d", "-empty", "-delete")
    return False


def kill_and_compare(folder: Path, reproduced: Path, plan: Iterable[tuple[tuple[str, float], Kill]]) -> None:
    """Kill each stage of the plan in the way beside it, and compare the end with the clone that was never killed."""
    print(f"KILLS_SEED={SEED}")
    moments = random.Random(SEED)  # noqa: S311  # no secret
    clone = clone_working_tree(folder, ["mlp"])
    for (stage, seconds), kill in plan:
        kills = 0
        command: list[str] = []
        while kills < KILLS:
            found = killed(clone, command, stage, moments.uniform(0, seconds), kill)
            kills += found
            command = [] if found else ["--force", "--single-item"]  # it was done before the kill

    clone.dvc("repro")
    assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."
    metrics = read_json(reproduced / "metrics/mlp.json")
    assert read_json(clone.folder / "metrics/candidate.json") == {"model": "mlp", **metrics}
    for name in ("metrics/mlp.json", "data/predictions/mlp.npz", "data/evaluation/mlp/per_class.csv"):
        assert (clone.folder / name).read_bytes() == (reproduced / name).read_bytes()
    assert PARTIAL not in clone.run("dvc", "list", "--recursive", "--dvc-only", ".")
    assert clone.run("git", "status", "--short").split() == ["??", "dvc.lock", "??", "metrics/", "??", "reports/"]


def test_killed_stages_are_done_again_and_give_the_same(tmp_path: Path, reproduced_folder: Path) -> None:
    ways = random.Random(SEED).sample(WAYS, 2)  # noqa: S311  # no secret
    third = STAGES[1::3]  # preprocess, train and report; `make test-all` kills each stage in each way
    kill_and_compare(tmp_path / "clone", reproduced_folder, zip(third, cycle(ways), strict=False))


@pytest.mark.long
def test_each_stage_may_be_killed_in_each_way(tmp_path: Path, reproduced_folder: Path) -> None:
    kill_and_compare(tmp_path / "clone", reproduced_folder, product(STAGES, WAYS))
