"""Trackers get what DVC's results hold, read back by the trackers' own readers."""

import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.io import InputError
from pipeline.programs import read_lock
from pipeline.track import run_track


@pytest.fixture
def results(reproduced_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(reproduced_folder)
    return reproduced_folder


def track(to: str, uri: Path | str | None, *models: str) -> None:
    run_track(Namespace(to=to, uri=uri and str(uri), model=list(models)))


def sent(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what was printed of each run, by its name."""
    return dict(line.split(": ") for line in capsys.readouterr().out.splitlines())


def read_result(path: str) -> Any:
    return json.loads(Path(path).read_text())


def test_tensorboard_shows_curves_scores_and_settings(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", sys)  # its reader then does without TensorFlow
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    track("tensorboard", tmp_path)
    runs = sent(capsys)
    assert [name.rpartition("-")[0] for name in runs] == ["dense128", "cnn1", "mlp"]
    assert set(runs.values()) == {"sent"}

    (folder,) = tmp_path.glob("mlp-*")
    events = EventAccumulator(str(folder)).Reload()
    curves = pd.read_csv("data/curves/mlp.csv")
    for name in ("loss", "val_accuracy"):
        scalars = events.Scalars(f"curves/{name}")
        assert [event.step for event in scalars] == curves["epoch"].tolist()
        assert [event.value for event in scalars] == pytest.approx(curves[name].tolist())
    (accuracy,) = events.Scalars("test.accuracy")
    assert accuracy.value == pytest.approx(read_result("metrics/mlp.json")["test"]["accuracy"])
    assert accuracy.step == read_result("data/runs/mlp.json")["best_epoch"]
    start = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = HParamsPluginData.FromString(start).session_start_info.hparams
    assert settings["units"].number_value == 64
    assert settings["optimizer.name"].string_value == "adam"
    assert settings["recipe.flip"].string_value == "none"

    track("tensorboard", tmp_path, "mlp")
    assert sent(capsys) == {folder.name: "already there"}


def test_mlflow_has_a_run_for_each_training(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes seconds to set up
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "clothes")
    from mlflow import MlflowClient

    track("mlflow", tmp_path, "mlp", "cnn1")
    track("mlflow", tmp_path, "mlp")
    assert set(sent(capsys).values()) == {"sent", "already there"}

    client = MlflowClient(str(tmp_path))
    experiment = client.get_experiment_by_name("clothes")
    assert experiment
    runs = {run.data.tags["model"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {"mlp", "cnn1"}
    mlp = runs["mlp"]
    recorded = YAML(typ="safe").load(Path("dvc.lock"))["stages"]["train@mlp"]
    run = read_result("data/runs/mlp.json")
    assert mlp.data.params["units"] == "64"
    assert mlp.data.params["optimizer.learning_rate"] == "0.001"
    assert mlp.data.metrics["test.accuracy"] == read_result("metrics/mlp.json")["test"]["accuracy"]
    assert mlp.data.metrics["training.seconds"] == run["seconds"]
    assert mlp.data.tags["data_md5"] == next(
        dep["md5"] for dep in recorded["deps"] if dep["path"] == "data/prepared.npz"
    )
    assert mlp.data.tags["seed"] == str(run["seed"])
    assert len(mlp.data.tags["commit"]) == 40
    history = client.get_metric_history(mlp.info.run_id, "val_loss")
    curves = pd.read_csv("data/curves/mlp.csv")
    assert {point.step: point.value for point in history} == dict(zip(curves["epoch"], curves["val_loss"], strict=True))


def test_a_run_that_a_kill_interrupted_is_sent_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    with monkeypatch.context() as killed:
        killed.setattr(MlflowClient, "set_terminated", lambda *_: sys.exit(137))
        with pytest.raises(SystemExit):
            track("mlflow", tmp_path, "mlp")
    track("mlflow", tmp_path, "mlp")
    client = MlflowClient(str(tmp_path))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.model = 'mlp'")
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(("to", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_tracker_that_is_absent_is_named_with_its_group(
    results: Path, to: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"^--to: the package {package} is not installed; run .* --group {to}`"):
        track(to, "somewhere", "mlp")


DAMAGED_LOCKS = {
    "": "absent keys or wrong values",
    "schema: '2.0'": "absent keys or wrong values",
    "stages: {train@mlp: {outs: [{md5: a}]}}": "absent keys or wrong values",
    "<<<<<<< HEAD\nschema: '2.0'\n=======\n": "mapping values are not allowed",
}


@pytest.mark.parametrize("content", DAMAGED_LOCKS)
def test_a_damaged_lock_is_named(content: str, tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(content)
    with pytest.raises(InputError) as refused:
        read_lock(lock)
    message = str(refused.value)
    assert message.startswith(f"{lock}: expected a file as DVC writes it, found: ")
    assert DAMAGED_LOCKS[content] in message
    assert message.endswith(f"; resolve its conflicts or run `git restore {lock}`, then `dvc repro`")


def test_only_what_the_lock_records_is_sent(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("params.yaml", "dvc.lock", "data/runs/mlp.json", "data/curves/mlp.csv", "metrics/mlp.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(results / path, tmp_path / path)
    monkeypatch.chdir(tmp_path)
    Path("metrics/mlp.json").write_text("{}")
    with pytest.raises(InputError, match=r"^metrics/mlp\.json: found other content, .*; run `dvc repro evaluate@mlp`"):
        track("tensorboard", "runs", "mlp")
    Path("data/runs/mlp.json").unlink()
    with pytest.raises(InputError, match=r"^data/runs/mlp\.json: found no file"):
        track("tensorboard", "runs", "mlp")
    with pytest.raises(InputError, match=r"^found no trained model; run `dvc repro` or `dvc pull`"):
        track("tensorboard", "runs")
    Path("dvc.lock").unlink()
    with pytest.raises(InputError, match=r"^mlp: dvc\.lock has no results of it; run `dvc repro evaluate@mlp`"):
        track("tensorboard", "runs", "mlp")


def test_mlflow_needs_an_address_that_it_understands(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match=r"^--uri: found none, expected a server or database"):
        track("mlflow", None, "mlp")
    with pytest.raises(InputError, match=r"^--uri: floppy://a: "):
        track("mlflow", "floppy://a", "mlp")
