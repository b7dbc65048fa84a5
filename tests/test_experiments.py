"""Experiments and comparisons, as the README shows them."""

import json
import time

import pytest

from tests.clone import Clone


def metrics_diff(clone: Clone) -> dict[str, dict[str, float]]:
    """`dvc metrics diff` of the candidate's scores on the test images, against HEAD."""
    diff = json.loads(clone.run("dvc", "metrics", "diff", "--json"))["diff"]["metrics/candidate.json"]
    return {name.removeprefix("test."): change for name, change in diff.items() if name.startswith("test.")}


def experiments(clone: Clone) -> list[dict[str, str]]:
    """The rows of `dvc exp show` that are experiments."""
    lines = clone.run("dvc", "exp", "show", "--csv").splitlines()
    header = lines[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in lines[1:]]
    return [row for row in rows if row["typ"] == "branch_commit" or row["rev"] not in ("workspace", "main")]


def test_another_candidate_changes_the_candidate_alone(clone: Clone) -> None:
    assert clone.dvc("exp", "run", "-S", "model=cnn1").ran == {"candidate"}
    assert len(experiments(clone)) == 1


def test_a_candidate_on_a_fresh_clone_trains_it_and_no_other(fresh_clone: Clone) -> None:
    ran = fresh_clone.dvc("exp", "run", "-S", "model=cnn1", "candidate").ran
    assert ran == {"download", "preprocess", "split", "train@cnn1", "evaluate@cnn1", "candidate"}

    candidate = json.loads((fresh_clone.folder / "metrics/candidate.json").read_text())
    before = json.loads(fresh_clone.run("git", "show", "HEAD:metrics/candidate.json"))
    assert (before["model"], candidate["model"]) == ("dense128", "cnn1")
    for score in ("accuracy", "f1_macro"):
        expected = {"old": before["test"][score], "new": candidate["test"][score]}
        assert metrics_diff(fresh_clone)[score].items() >= expected.items()
    (experiment,) = experiments(fresh_clone)
    assert float(experiment["metrics/candidate.json:test.accuracy"]) == pytest.approx(candidate["test"]["accuracy"])


def test_one_setting_of_one_model(clone: Clone) -> None:
    ran = clone.dvc("exp", "run", "-S", "models.cnn1.optimizer.learning_rate=0.002").ran
    assert ran == {"train@cnn1", "export@cnn1", "evaluate@cnn1", "report"}


def test_a_queued_grid(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "-S", "models.mlp.layers=1,2", "-S", "models.mlp.nodes=32,64")
    clone.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 300
    while {"Queued", "Running"} & set(clone.run("dvc", "queue", "status").split()) and time.monotonic() < deadline:
        time.sleep(1)
    status = clone.run("dvc", "queue", "status")
    assert status.split().count("Success") == 4, status
    grid = {(row["models.mlp.layers"], row["models.mlp.nodes"]) for row in experiments(clone)}
    assert grid == {("1", "32"), ("1", "64"), ("2", "32"), ("2", "64")}
