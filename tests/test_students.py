"""Ensembles and students by real DVC, as ``docs/ensembles.md`` shows them."""

import hashlib
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import read_json, read_npz
from tests.clone import ROOT, Clone, Repro
from tests.documentation import run_page

# Compiled by XLA, parts side by side with dropout, large batches.
MEMBERS = {"dense128": "kept", "cnn1": "kept", "mlp": "all"}


@pytest.fixture
def teaching(clone: Clone) -> Clone:
    """The clone with an ensemble of its three models and a student, under their names in this repository."""
    student: dict[str, Any] = clone.params()["models"]["mlp"]
    params = clone.params()
    params["ensembles"] = {"airbench_vote": {"members": dict(MEMBERS)}}
    params["students"] = {
        "resnet_taught": {"teacher": "airbench_vote", "temperature": 4.0, "weight": 0.9, **student, "seeds": [0, 1]}
    }
    clone.write_params(params)
    clone.commit("An ensemble and a student")
    return clone


def test_the_page_as_it_is_typed(teaching: Clone) -> None:
    chosen, trained, candidate = run_page(teaching, "docs/ensembles.md")
    assert chosen.count(" with ") == 3
    assert "Running stage 'ensemble@airbench_vote'" in trained
    assert "without mlp" in trained
    assert "Running stage 'train@" not in trained + candidate
    assert "test image 15" in candidate
    metrics = read_json(teaching.folder / "metrics/candidate.json")
    assert (metrics["model"], metrics["seeds"]) == ("resnet_taught", 2)

    voted = read_npz(teaching.folder / "data/ensembles/airbench_vote.npz")
    members = [read_npz(teaching.folder / f"data/predictions/{name}.npz") for name in MEMBERS]  # of one seed each
    for part in ("train", "validation", "test"):
        mean = np.mean([member[f"{part}_probabilities"][0] for member in members], axis=0, dtype=np.float64)
        np.testing.assert_allclose(voted[f"{part}_probabilities"][0], mean, atol=1e-6)
    report = (teaching.folder / "reports/results.md").read_text(encoding="utf-8")
    assert "`airbench_vote` (ensemble)" in report
    assert "`resnet_taught` (student)" in report
    assert (teaching.folder / "reports/figures/curves/resnet_taught.png").exists()
    assert not (teaching.folder / "reports/figures/curves/airbench_vote.png").exists()


def test_what_a_change_runs(teaching: Clone) -> None:
    of_student = {"distill@resnet_taught", "evaluate_student@resnet_taught"}
    of_ensemble = {"ensemble@airbench_vote", "evaluate_ensemble@airbench_vote"}
    teaching.change("students.resnet_taught.seeds", [0])
    assert teaching.repro_without_report() == of_ensemble | of_student | {"report"}

    weight = teaching.params()["students"]["resnet_taught"]["weight"]
    teaching.change("students.resnet_taught.weight", 0.5)
    assert teaching.dvc("repro", "--dry").ran == {"distill@resnet_taught", "report"}
    teaching.change("students.resnet_taught.weight", weight)

    teaching.change("ensembles.airbench_vote.members", {"mlp": "all"})
    assert teaching.repro_without_report() == of_ensemble | of_student | {"report"}
    teaching.change("models.cnn1.seeds", [1])  # no member any more: the mean is taken again and is the same
    assert teaching.repro_without_report() == {"train@cnn1", "evaluate@cnn1", "ensemble@airbench_vote", "report"}


def results(clone: Clone) -> dict[str, str]:
    """SHA-256 of what each member predicts, and of its metrics."""
    files = [file for name in MEMBERS for file in (f"data/predictions/{name}.npz", f"metrics/{name}.json")]
    return {file: hashlib.sha256((clone.folder / file).read_bytes()).hexdigest() for file in files}


def test_a_clean_clone_trains_side_by_side_to_the_same_bytes_and_students_after_their_ensembles(
    teaching: Clone, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fresh = Clone(tmp_path_factory.mktemp("side by side") / "fresh")
    teaching.run("git", "clone", "--quiet", ".", str(fresh.folder))
    (fresh.folder / ".venv").symlink_to(ROOT / ".venv")
    set_up = [f"--old-file=.venv/synced-{device}" for device in ("cpu", "gpu")]  # it has what the tests run with
    printed = fresh.run("make", "repro", "JOBS=2", *set_up)
    assert Repro.printed_in(printed).ran > {f"{stage}@{name}" for name in MEMBERS for stage in ("train", "evaluate")}
    stages = "train@mlp", "ensemble@airbench_vote", "distill@resnet_taught"
    places = [printed.index(f"Running stage '{stage}'") for stage in stages]
    assert places == sorted(places)
    assert results(fresh) == results(teaching)  # where they trained one after the other
    assert fresh.run("dvc", "status").strip() == "Data and pipelines are up to date."
