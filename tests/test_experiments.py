"""Experiments and comparisons, as the documentation shows them."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.clone import Clone, Repro
from tests.helpers.documentation import run_block


def metrics_diff(clone: Clone) -> Any:
    """`dvc metrics diff` of the candidate against HEAD, by metric."""
    return json.loads(clone.run("dvc", "metrics", "diff", "--json"))["metrics/candidate.json"]


def experiments(clone: Clone) -> list[Any]:
    """What `dvc exp show` has of each experiment on HEAD."""
    _, head = json.loads(clone.run("dvc", "exp", "show", "--json"))
    return [experiment["revs"][0]["data"] for experiment in head["experiments"] or []]


def test_another_candidate_trains_nothing(clone: Clone) -> None:
    assert clone.dvc("exp", "run", "-S", "model=cnn1").ran == {"candidate"}
    (experiment,) = experiments(clone)
    assert experiment["metrics"]["metrics/candidate.json"]["data"]["model"] == "cnn1"


def test_a_candidate_on_a_fresh_clone_needs_its_model_alone(fresh_clone: Clone, reproduced_folder: Path) -> None:
    shutil.copytree(reproduced_folder / ".dvc/cache", fresh_clone.folder / ".dvc/cache")  # in place of a training
    printed = fresh_clone.run("dvc", "exp", "run", "-S", "model=cnn1", "candidate")
    assert Repro.printed_in(printed).ran == {"candidate"}
    needed = set(re.findall(r"^Stage '(\S+)' didn't change", printed, re.MULTILINE))
    assert needed == {"download", "preprocess", "split@standard", "train@cnn1", "evaluate@cnn1"}

    candidate = json.loads((fresh_clone.folder / "metrics/candidate.json").read_text())
    before = json.loads(fresh_clone.run("git", "show", "HEAD:metrics/candidate.json"))
    assert (before["model"], candidate["model"]) == ("dense128", "cnn1")
    difference = metrics_diff(fresh_clone)
    for score in ("accuracy", "f1_macro"):
        assert difference[f"test.{score}"]["old"] == before["test"][score]
        assert difference[f"test.{score}"]["new"] == candidate["test"][score]
    (experiment,) = experiments(fresh_clone)
    shown = experiment["metrics"]["metrics/candidate.json"]["data"]
    assert shown["test"]["accuracy"] == pytest.approx(candidate["test"]["accuracy"])


@pytest.mark.long
def test_one_setting_and_a_queued_grid_as_documented(clone: Clone) -> None:
    printed = run_block(clone, "docs/sweeps.md", "queue")
    assert Repro.printed_in(printed).ran == {"train@cnn1", "evaluate@cnn1", "report"}  # the grid runs in the background
    while {"Queued", "Running"} & set(clone.run("dvc", "queue", "status").split()):
        time.sleep(5)  # to ask takes seconds of a core that the trainings need
    status = clone.run("dvc", "queue", "status")
    assert status.split().count("Success") == 4, status
    settings = [experiment["params"]["params.yaml"]["data"]["models"] for experiment in experiments(clone)]
    rates = sorted(models["cnn1"]["optimizer"]["learning_rate"] for models in settings)
    assert rates == [0.002] * 5  # the queue was filled from the workspace as the first experiment left it
    grid = [(models["mlp"]["layers"], models["mlp"]["units"]) for models in settings]
    assert sorted(grid) == [(1, 32), (1, 64), (2, 32), (2, 64), (2, 64)]

    plots = json.loads(clone.run("dvc", "plots", "diff", "--json"))
    assert "errors" not in plots
    (curves,) = plots["data"]["data/curves/cnn1.csv"]
    assert curves["revisions"] == ["workspace", "HEAD"]
    assert {point["field"] for point in curves["content"]["data"]["values"]} == {"accuracy", "val_accuracy"}
    (confusion,) = plots["data"]["data/evaluation/cnn1/confusion.csv"]
    assert confusion["revisions"] == ["workspace", "HEAD"]
    assert len(confusion["content"]["data"]["values"]) == 2 * 200  # test images
