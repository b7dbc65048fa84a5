"""Sweeps: real trials in a clone, killed and resumed; errors in a sweep file; how Optuna samples trials."""

import fcntl
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import psutil
import pytest

from pipeline.io import InputError
from pipeline.sweep import search as searching
from pipeline.sweep.config import load_sweep
from pipeline.sweep.report import accuracy_by_setting, curves_by_value
from pipeline.sweep.trials import Trial, best_result, grid_trials
from pipeline.sweep.workspace import Workspace, open_workspace
from tests.helpers.clone import ENVIRONMENT, ROOT, Clone
from tests.helpers.documentation import run_block

GRID = "model: mlp\ngrid:\n  layers: [1, 2]\n  units: [32]\n"
# The pruner sees the other learning rates to be worse than 2.6e-4, the first that seed 0 draws, by their first epochs.
SEARCH = """model: dense128
search:
  trials: 3
  seed: 0
  pruning: {pruner: median, startup_trials: 1, warmup_epochs: 0}
  settings:
    epochs: {choices: [120, 121]}
    optimizer.learning_rate: {log_uniform: [1.0e-6, 1.0e-2]}
"""


def experiments(clone: Clone) -> dict[str, str]:
    """Commit by name of the experiments on HEAD."""
    listed = clone.run("git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps/*/*/*")
    lines = (line.split() for line in listed.splitlines())
    return {name.rpartition("/")[2]: commit for name, commit in lines}


def kill_in_the_middle(clone: Clone) -> dict[str, str]:
    """Start a sweep, and kill it and all that it started while its second trial runs; gives what was finished."""
    command = [sys.executable, "-m", "pipeline", "sweep", "sweeps/mlp.yaml"]
    with subprocess.Popen(command, cwd=clone.folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        while not experiments(clone):
            time.sleep(0.2)
            assert process.poll() is None
        while not any((clone.folder / ".dvc/tmp/sweeps").glob("*/*/.dvc/config.local")):
            time.sleep(0.05)
        for child in [*psutil.Process(process.pid).children(recursive=True), process]:
            os.kill(child.pid, signal.SIGKILL)
    with (clone.folder / ".dvc/tmp/sweeps/mlp.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a killed process keeps the lock until the system has taken it down
    return experiments(clone)


@pytest.mark.long
def test_a_killed_grid_and_a_search_as_documented(clone: Clone) -> None:
    (clone.folder / "sweeps/mlp.yaml").write_text(GRID)
    (clone.folder / "sweeps/dense_search.yaml").write_text(SEARCH)
    clone.commit("Small sweeps")
    before = clone.run("git", "stash", "list"), clone.run("git", "rev-parse", "--abbrev-ref", "HEAD")
    first = kill_in_the_middle(clone)
    assert len(first) == 1

    grid, applied, search = (run_block(clone, "docs/sweeps.md", block) for block in ("grid-run", "apply", "search-run"))
    assert "1 of 2 trials are finished" in grid
    after = experiments(clone)
    assert first.items() <= after.items()  # the same commit, and so not run again
    assert before == (clone.run("git", "stash", "list"), clone.run("git", "rev-parse", "--abbrev-ref", "HEAD"))

    table = pd.read_csv(clone.folder / "reports/sweeps/mlp/trials.csv").set_index("experiment")
    assert table[["layers", "units"]].to_numpy().tolist() == [[1, 32], [2, 32]]
    _, head = json.loads(clone.run("dvc", "exp", "show", "--json"))
    shown = {experiment["name"]: experiment["revs"][0]["data"] for experiment in head["experiments"]}
    for name, row in table.iterrows():
        assert shown[name]["params"]["params.yaml"]["data"]["models"]["mlp"]["layers"] == row["layers"]
        validation = shown[name]["metrics"]["metrics/mlp.json"]["data"]["validation"]
        assert row["validation_accuracy"] == pytest.approx(validation["accuracy"])
    best = table["validation_accuracy"].idxmax()
    assert table.index[table["is_best"]].tolist() == [best]
    assert f"dvc exp apply {best}" in grid
    assert "+    units: 32" in applied  # by git diff, since the entry has 64
    folder = clone.folder / "reports/sweeps/mlp"
    figures = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert figures == {"accuracy.png", "curves/layers.png"}, "`units` has one value"

    trials = pd.read_csv(clone.folder / "reports/sweeps/dense_search/trials.csv")
    assert trials["status"].tolist() == ["finished", "pruned", "pruned"]
    assert (trials["epochs_trained"] < 120).tolist() == [False, True, True]
    assert set(trials["experiment"].dropna()) == set(after) - set(table.index)
    assert "pruned after epoch" in search
    again = clone.run(sys.executable, "-m", "pipeline", "sweep", "sweeps/dense_search.yaml")
    assert "validation accuracy " not in again
    assert pd.read_csv(clone.folder / "reports/sweeps/dense_search/trials.csv").equals(trials)


def trials(text: str, folder: Path) -> list[Trial]:
    path = folder / "mlp.yaml"
    path.write_text(text)
    sweep, layout = load_sweep(path)
    return grid_trials(Trial("mlp", sweep.model, {}, layout), sweep.grid or {})


def test_a_grid_is_all_combinations_of_settings(tmp_path: Path) -> None:
    combinations = trials("model: mlp\ngrid:\n  layers: [1, 2]\n  optimizer.learning_rate: [0.1, 1.0e-05]\n", tmp_path)
    assert [list(trial.settings.values()) for trial in combinations] == [[1, 0.1], [1, 1e-5], [2, 0.1], [2, 1e-5]]
    assert combinations[1].overrides == ["models.mlp.layers=1", "models.mlp.optimizer.learning_rate=1e-05"]
    names = [trial.name for trial in combinations]
    assert len(set(names)) == 4
    assert names[1].startswith("mlp-layers-1-learning_rate-1e-05-")
    close = [Trial("a", "mlp", {"rate": rate}).name for rate in (0.10000001, 0.10000002)]
    assert len(set(close)) == 2


@pytest.mark.parametrize(
    "settings",
    [{"hidden": [300, 100]}, {"recipe": "a..b/c d~^:?*[\\"}, {"rbf_gamma": None}, {"layers": -1}, {"name": "x" * 500}],
)
def test_a_name_is_one_that_git_takes(settings: dict[str, Any]) -> None:
    name = Trial("mlp", "mlp", settings).name
    subprocess.run(["git", "check-ref-format", f"refs/exps/{name}"], check=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: mlp\n", r":1: the file: found .*, expected: one of grid and search beside model"),
        ("model: cnn9\ngrid:\n  units: [1]\n", r":1: model: found 'cnn9', expected: the name of a model; allowed: .*"),
        (
            "model: mlp\ngrid:\n  layers: [1]\n  node: [1]\n",
            r":4: grid\.node: found \[1\], expected: a setting of the model; allowed: architecture, .*layers, units",
        ),
        (
            "model: mlp\ngrid:\n  optimizer.rate: [0.1]\n",
            r":3: grid\.optimizer\.rate: .*; allowed: optimizer\.name, optimizer\.learning_rate",
        ),
        ("model: mlp\ngrid:\n  units.first: [1]\n", r":3: grid\.units\.first: .*; allowed: units"),
        (
            "model: mlp\ngrid:\n  units:\n  - 32\n  - -1\n",
            r":5: grid\.units\.1: found -1, expected: .*greater than 0",
        ),
        (
            "model: mlp\ngrid:\n  optimizer.learning_rate: [0.1, 0.0]\n",
            r":3: grid\.optimizer\.learning_rate\.1: found 0\.0, expected: .*greater than 0",
        ),
        (
            "model: mlp\ngrid:\n  layers: [0]\n  units: [-1]\n",
            r":3: grid\.layers\.0: found 0, .*\n.*mlp\.yaml:4: grid\.units\.0: found -1, expected: .*greater than 0",
        ),
        (
            "model: mlp\ngrid:\n  Units: [1]\n",
            r":3: grid\.Units: found \[1\], expected: the name of a setting, or several with dots",
        ),
        ("model: mlp\ngrid:\n  units: 32\n", r":3: grid\.units: found 32, expected: .*list"),
        ("model: mlp\ngrid:\n  units: []\n", r":3: grid\.units: found \[\], expected: .*at least 1"),
        (
            "model: mlp\ngird:\n  units: [1]\n",
            r":2: gird: found .*, expected: no such key; allowed: model, grid, .*",
        ),
        ("model: mlp\ngrid: [\n", r":3: expected YAML, found a mistake"),
        (
            "model: mlp\ngrid:\n  recipe: [plain, long]\n",
            r":3: grid\.recipe\.1: found 'long', expected: the name of a recipe; allowed: plain, fast",
        ),
        (
            "model: airbench_long\ngrid:\n  recipe: [long, plain]\n",
            r":3: grid\.recipe\.1: found 'plain', expected: the name of a recipe; allowed: long, long_large",
        ),
    ],
)
def test_a_mistake_in_a_grid_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"mlp\.yaml{message}"):
        trials(text, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trials: 3", "trials: 0", r":3: search\.trials: found 0, expected: .*greater than 0"),
        ("median", "medium", r":5: search\.pruning\.pruner: found 'medium', expected: .*'median', 'halving'"),
        ("[120, 121]", "[120, 0]", r":7: search\.settings\.epochs\.choices\.1: found 0, expected: .*greater than 0"),
        ("[1.0e-6, ", "[1.0, ", r":8: search\.settings\.optimizer.*: found .*, expected: two numbers, the lower first"),
        (
            "log_uniform",
            "uniforms",
            r":8: search\.settings\.optimizer.*: found .*, expected: one of integers, .*",
        ),
    ],
)
def test_a_mistake_in_a_search_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH.replace(old, new))
    with pytest.raises(InputError, match=rf"search\.yaml{message}"):
        load_sweep(path)


@pytest.mark.parametrize("path", sorted(Path("sweeps").glob("*.yaml")), ids=str)
def test_shipped_sweeps_fit_the_parameters(path: Path) -> None:
    assert load_sweep(path)[0].model


def test_a_sweep_runs_once_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        open_workspace("mlp"),
        pytest.raises(InputError, match="sweep mlp: found it running already"),
        open_workspace("mlp"),
    ):
        pass
    with open_workspace("mlp"), open_workspace("another"):
        pass


def result(settings: dict[str, Any], accuracy: float) -> Any:
    curves = pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "accuracy": [0.5, 0.6], "val_loss": [1.0, 0.7]})
    curves["val_accuracy"] = [accuracy - 0.1, accuracy]
    return SimpleNamespace(trial=Trial("mlp", "mlp", settings), validation_accuracy=accuracy, curves=curves)


def error(trial: Trial) -> float:
    rate: Any = trial.settings["optimizer.learning_rate"]
    return -abs(math.log(rate) + 7)


def sampled(folder: Path, monkeypatch: pytest.MonkeyPatch, *kills: int) -> list[dict[str, Any]]:
    """Settings of a search's trials, whose accuracy is a function of them; killed when so many trials had begun."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / "search.yaml"
    path.write_text(SEARCH.replace("trials: 3", "trials: 15"))
    shutil.copy2(ROOT / "params.yaml", folder)
    sweep, layout = load_sweep(path)
    assert sweep.search
    search = Trial("search", sweep.model, {}, layout), sweep.search, "commit", 1
    begun: list[str] = []
    killed: list[Workspace] = []

    def run(trial: Trial, _commit: str, workspace: Workspace, _watch: Any) -> bool:
        if workspace not in killed:
            begun.append(trial.name)
            if len(begun) not in kills:
                return True
            killed.append(workspace)
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "finished", lambda _: set())
    monkeypatch.setattr(searching, "run_trial", run)
    monkeypatch.setattr(searching, "read_result", lambda trial, _: result(dict(trial.settings), error(trial)))
    for _ in kills:
        with pytest.raises(KeyboardInterrupt), open_workspace("search") as workspace:
            searching.run_search(*search, workspace)
    with open_workspace("search") as workspace:
        results = searching.run_search(*search, workspace)
    return [dict(result.trial.settings) for result in results]


def test_frontier_models_can_be_swept(tmp_path: Path) -> None:
    grid = trials("model: airbench_long\ngrid:\n  epochs: [1]\n", tmp_path)
    assert [trial.overrides for trial in grid] == [["frontier/params.yaml:models.airbench_long.epochs=1"]]
    assert grid[0].stage == "frontier/dvc.yaml:evaluate@airbench_long"
    assert grid[0].layout.curves("airbench_long") == Path("data/frontier/curves/airbench_long.csv")


@pytest.mark.slow
def test_a_killed_search_samples_the_same_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sampled(tmp_path / "whole", monkeypatch)
    assert len({json.dumps(trial) for trial in whole}) == 15
    assert sampled(tmp_path / "killed", monkeypatch, 4, 13) == whole


def test_unwatched_epochs_count_for_the_pruner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled(tmp_path / "search", monkeypatch)  # where each trial ends at once, as from DVC's cache
    study = optuna.load_study(study_name=None, storage="sqlite:///.dvc/tmp/sweeps/search.db")
    for trial in study.trials:
        assert trial.value is not None
        assert trial.intermediate_values == {1: pytest.approx(trial.value - 0.1), 2: trial.value}


def test_figures_show_the_best_and_one_setting_at_a_time() -> None:
    accuracies = {(1, 32): 0.7, (1, 64): 0.9, (2, 32): 0.8, (2, 64): 0.9}
    results = [result({"layers": layers, "units": units}, value) for (layers, units), value in accuracies.items()]
    best = best_result(results)
    assert best is results[1]  # the first of equals

    (axes,) = accuracy_by_setting(results, best).axes
    ranked = [label.get_text() for label in axes.get_yticklabels()]
    assert ranked == ["layers 1, units 32", "layers 2, units 32", "layers 2, units 64", "layers 1, units 64"]
    (legend,) = curves_by_value(results, "layers", best).legends
    assert [text.get_text() for text in legend.get_texts()] == ["layers 1", "layers 2"]
    _, accuracy = curves_by_value(results, "units", best).axes
    validation = [np.asarray(line.get_ydata())[-1] for line in accuracy.get_lines() if line.get_linestyle() == "-"]
    assert validation == [0.7, 0.9]  # of one layer, as the best has
