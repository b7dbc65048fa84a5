"""Sweeps in repositories of other kinds, on a pipeline that takes its score from the settings."""

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.io import InputError
from pipeline.sweep.command import add_sweep
from pipeline.sweep.trials import Trial, read_result, reference
from pipeline.sweep.workspace import _link_files
from tests.helpers.clone import ENVIRONMENT, ROOT, Clone

SCORE = """
import json, os, sys
from pathlib import Path
from ruamel.yaml import YAML

name, folder = sys.argv[1:]
with open(os.environ["SCORED"], "a") as scored:
    scored.write(name + "\\n")
model = YAML(typ="safe").load(Path(folder, "params.yaml"))["models"][name]
own = sum(Path(folder, file).stat().st_size for folder, _, files in os.walk("data/local", followlinks=True)
          for file in files if file.endswith(".png"))
accuracy = model["epochs"] / 100 + own / 1000
data, metrics = Path("data", folder, "curves"), Path(folder, "metrics")
for place in (data, metrics):
    place.mkdir(parents=True, exist_ok=True)
(data / f"{name}.csv").write_text(f"epoch,loss,accuracy,val_loss,val_accuracy\\n1,1,0.5,1,{accuracy}\\n")
(metrics / f"{name}.json").write_text(json.dumps({"validation": {"accuracy": accuracy}}))
"""
STAGE = """
stages:
  evaluate:
    foreach: ${{models}}
    do:
      wdir: {top}
      cmd: python score.py ${{key}} {folder}
      deps: [score.py, data/local]
      params:
      - {folder}/params.yaml:
        - models.${{key}}
      metrics:
      - {metrics}/${{key}}.json: {{cache: false}}
      outs: ['{curves}/${{key}}.csv']
"""
MODELS = {".": ["mlp", "dense128"], "frontier": ["airbench_long"]}
SWEEP = "model: mlp\ngrid:\n  epochs: [10, 20]\n"
ONE_TRIAL = "model: mlp\ngrid:\n  epochs: [10]\n"


@pytest.fixture(autouse=True)
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that gets a line whenever a model is scored, by commands and by sweeps in this process."""
    path = tmp_path / "scored.txt"
    monkeypatch.setitem(ENVIRONMENT, "SCORED", str(path))
    for name in ("SCORED", *(name for name in ENVIRONMENT if name.startswith("GIT_"))):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    return path


@pytest.fixture(scope="module")
def repository_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain repository; not to be changed."""
    return make_repository(tmp_path_factory.mktemp("sweeps") / "repository").folder


@pytest.fixture
def repository(repository_folder: Path, tmp_path: Path) -> Clone:
    """A copy of it."""
    return Clone(Path(shutil.copytree(repository_folder, tmp_path / "repository")))


def make_repository(top: Path, folder: str = ".") -> Clone:
    """Make a git repository whose `folder` holds the pipeline."""
    clone = Clone(top / folder)
    clone.folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", top], check=True)
    clone.run("dvc", "init", "--quiet", *(["--subdir"] if folder != "." else []))
    for place, names in MODELS.items():
        (clone.folder / place).mkdir(exist_ok=True)
        params = YAML().load(ROOT / place / "params.yaml")
        params["models"] = {name: params["models"][name] for name in names}
        if place == ".":
            params |= {"model": names[0], "published": None}
        YAML().dump(params, clone.folder / place / "params.yaml")
        curves, metrics = (os.path.normpath(path) for path in (f"data/{place}/curves", f"{place}/metrics"))
        stage = STAGE.format(folder=place, top="." if place == "." else "..", curves=curves, metrics=metrics)
        (clone.folder / place / "dvc.yaml").write_text(stage)
    (clone.folder / "score.py").write_text(SCORE)
    (clone.folder / ".gitignore").write_text("/data/*\n!/data/local/\n")
    write_sweep(clone, SWEEP)
    (clone.folder / "data/local").mkdir(parents=True)
    (clone.folder / "data/local/.gitignore").write_text("*\n!.gitignore\n")
    clone.commit("A pipeline")
    return clone


def write_sweep(clone: Clone, text: str) -> None:
    (clone.folder / "sweeps").mkdir(exist_ok=True)
    (clone.folder / "sweeps/small.yaml").write_text(text)


def sweep(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Run the sweep in this process and read its table."""
    monkeypatch.chdir(clone.folder)
    parser = ArgumentParser()
    add_sweep(parser.add_subparsers())
    arguments = parser.parse_args(["sweep", "sweeps/small.yaml"])
    arguments.command(arguments)
    return pd.read_csv("reports/sweeps/small/trials.csv")


def test_a_grid_runs_on_a_path_that_is_not_ascii(repository_folder: Path, tmp_path: Path) -> None:
    """By the command, in a repository that refuses pushes."""
    clone = Clone(Path(shutil.copytree(repository_folder, tmp_path / "Größe é 大")))
    hook = clone.folder / ".git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "sweep", "sweeps/small.yaml"],
        cwd=clone.folder,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(clone.folder / "reports/sweeps/small/trials.csv")
    assert table["validation_accuracy"].tolist() == [0.1, 0.2]
    assert table["is_best"].tolist() == [False, True]
    assert not (clone.folder / ".dvc/tmp/sweeps/small").exists()


def test_a_grid_runs_in_a_subfolder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = make_repository(tmp_path / "repository", "vision/fashion")
    other = tmp_path / "repository/elsewhere.txt"
    other.write_text("of another project\n")
    clone.run("git", "add", "--all", ":/")
    clone.run("git", "commit", "--quiet", "--message", "Another project")
    other.write_text("changed, which is no concern of the sweep\n")
    write_sweep(clone, ONE_TRIAL)
    assert sweep(clone, monkeypatch)["validation_accuracy"].tolist() == [0.1]


def test_a_model_of_the_frontier_is_swept(repository: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sweep(repository, ONE_TRIAL.replace("mlp", "airbench_long"))
    assert sweep(repository, monkeypatch)["validation_accuracy"].tolist() == [0.1]


def test_own_data_is_linked_and_may_be_read_only(
    repository: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(repository, ONE_TRIAL)
    large = tmp_path / "large"
    large.mkdir()
    (large / "one.png").write_bytes(bytes(100))
    (repository.folder / "data/local/shared").symlink_to(large)
    own = repository.folder / "data/local/own"
    own.mkdir()
    (own / "two.png").write_bytes(bytes(200))
    for path in (own / "two.png", own, large / "one.png", large):
        path.chmod(0o555)
    repository.run("dvc", "repro", "evaluate@mlp")
    repository.commit("Results")
    try:
        accuracies = sweep(repository, monkeypatch)["validation_accuracy"].tolist()
        assert accuracies == sweep(repository, monkeypatch)["validation_accuracy"].tolist()
    finally:
        for path in (own, large):
            path.chmod(0o755)
    assert accuracies == pytest.approx([0.4])


def test_links_are_linked_and_not_followed(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "own").mkdir(parents=True)
    (source / "own/one.png").write_bytes(b"one")
    for name, aim in {"again": "own", "all": ".", "itself": "itself", "nowhere": "absent"}.items():
        (source / name).symlink_to(aim)
    for _ in range(2):
        _link_files(source, target)
    assert sorted(path.name for path in target.iterdir()) == ["again", "all", "itself", "nowhere", "own"]
    assert [path.name for path in target.iterdir() if not path.is_symlink()] == ["own"]
    assert (target / "own/one.png").readlink() == source / "own/one.png"
    assert (target / "again/one.png").read_bytes() == b"one"


def test_a_setting_that_is_cached_is_not_run_again(
    repository: Clone, scored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.folder / "data/local/own.png").write_bytes(bytes(100))
    repository.run("dvc", "repro", "evaluate@mlp")
    repository.commit("Results")
    before = scored.read_text()
    write_sweep(repository, ONE_TRIAL)
    assert sweep(repository, monkeypatch)["validation_accuracy"].tolist() == pytest.approx([0.2])
    assert scored.read_text() == before


def test_uncommitted_changes_stop_a_sweep(repository: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.replace("score.py", "import json", "import  json")
    with pytest.raises(InputError, match=r"^working tree: found changes in score\.py, expected them committed"):
        sweep(repository, monkeypatch)


def test_a_failing_trial_is_named_and_the_others_end(repository: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.replace("score.py", "name, folder = ", "sys.exit('no such luck')\nname, folder = ")
    repository.commit("A stage that fails")
    with pytest.raises(InputError) as raised:
        sweep(repository, monkeypatch)
    error = str(raised.value)
    assert error.count("no such luck") == 2
    for epochs in (10, 20):
        name = Trial("small", "mlp", {"epochs": epochs}).name
        assert f"{name}: `dvc exp run` ended with status" in error
    assert repository.run("git", "for-each-ref", "refs/exps") == ""


ON_A_NODE = """
import pickle, sys
run, arguments = pickle.load(open(sys.argv[1], "rb"))
assert "pipeline" not in sys.modules
print(run(*arguments))
"""


def test_a_node_runs_a_trial_without_this_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    from ray import cloudpickle

    from pipeline.sweep import cluster

    clone = make_repository(tmp_path / "repository", "vision")
    clone.run("dvc", "repro", "evaluate@mlp", "evaluate@dense128", "frontier/dvc.yaml:evaluate@airbench_long")
    clone.run("git", "init", "--quiet", "--bare", str(tmp_path / "git"))
    clone.run("git", "remote", "add", "origin", str(tmp_path / "git"))
    monkeypatch.chdir(clone.folder)
    with pytest.raises(InputError, match="DVC: found no default remote, expected one"):
        cluster.git_address("HEAD")
    clone.run("dvc", "remote", "add", "--default", "folder", str(tmp_path / "dvc"))
    clone.commit("Remotes and results")
    commit = clone.run("git", "rev-parse", "HEAD").strip()
    clone.run("git", "update-ref", "refs/remotes/another/main", commit)
    with pytest.raises(InputError, match="not on origin"):
        cluster.git_address(commit)
    clone.run("git", "push", "--quiet", "origin", "main")
    clone.run("dvc", "push")
    trial = Trial("small", "mlp", {"epochs": 30})
    repository = (cluster.git_address(commit), "vision")
    cloudpickle.register_pickle_by_value(cluster)
    try:
        call = (
            cluster.run_remote_trial,
            (repository, commit, reference(commit, trial.name), trial.overrides, trial.stage),
        )
        (tmp_path / "call").write_bytes(cloudpickle.dumps(call))
    finally:
        cloudpickle.unregister_pickle_by_value(cluster)
    command = [sys.executable, "-c", ON_A_NODE, str(tmp_path / "call")]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("None\n", "")
    cluster.fetch(commit, [trial])
    assert read_result(trial, commit).validation_accuracy == 0.3
