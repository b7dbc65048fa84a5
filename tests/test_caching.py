"""What reruns when something changes: real DVC in a clone with the models dense128 (the candidate), cnn1 and mlp."""

import shutil
from pathlib import Path

from dvc.utils.serialize import load_yaml

from tests.helpers.clone import Clone, Repro

NOTHING: set[str] = set()


def test_a_second_run_runs_nothing(clone: Clone) -> None:
    assert clone.dvc("repro") == Repro(NOTHING, NOTHING)
    assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."


def test_a_learning_rate_reruns_its_model_and_back_restores(clone: Clone) -> None:
    changed = {"train@cnn1", "evaluate@cnn1", "report"}
    clone.change("model", "cnn1")
    clone.change("models.cnn1.optimizer.learning_rate", 0.002)
    assert clone.dvc("repro").ran == changed | {"candidate"}

    clone.change("models.cnn1.optimizer.learning_rate", 0.001)
    assert clone.dvc("repro") == Repro(ran={"candidate"}, restored=changed)  # the candidate follows its model


def test_a_recipe_retrains_the_models_that_name_it(clone: Clone) -> None:
    clone.change("recipes.fast.translate", 1)
    assert clone.dvc("repro", "--dry").ran == NOTHING
    clone.change("models.cnn1.recipe", "fast")
    assert clone.dvc("repro", "--dry").ran == {"train@cnn1", "report"}


def test_an_architecture_retrains_its_models_alone(clone: Clone) -> None:
    clone.replace("pipeline/architectures/cnn1.py", "Dropout(0.5)", "Dropout(0.4)")
    clone.replace("pipeline/architectures/mlp.py", '"""', '"""Edited, to no effect. ')
    assert clone.dvc("repro", "evaluate@mlp").ran == {"train@mlp"}  # what predicts as before is not evaluated again
    assert clone.dvc("repro", "--dry").ran == {"train@cnn1", "report"}


def test_editing_the_report_trains_nothing(clone: Clone) -> None:
    clone.replace("pipeline/report/tables.py", '"""', '"""Edited. ')
    assert clone.dvc("repro", "--dry").ran == {"report"}


def test_editing_the_evaluation_trains_nothing(clone: Clone) -> None:
    clone.replace("pipeline/evaluation/metrics.py", '"""', '"""Edited. ')
    assert clone.dvc("repro", "--dry").ran == {"evaluate@dense128", "evaluate@cnn1", "evaluate@mlp", "report"}


def test_the_seed_of_a_split_retrains_its_models(clone: Clone) -> None:
    clone.change("splits.standard.seed", 1)
    assert clone.dvc("repro", "split@standard").ran == {"split@standard"}
    assert clone.dvc("repro", "--dry").ran == {"train@dense128", "train@cnn1", "report"}


def test_normalization_retrains_all(clone: Clone) -> None:
    clone.change("data.normalization", "standard")
    assert clone.dvc("repro", "split").ran == {"split@standard", "split@article_d"}
    assert clone.dvc("repro", "--dry").ran == {"train@dense128", "train@cnn1", "train@mlp", "report"}


def test_a_class_name_evaluates_again_and_trains_nothing(clone: Clone) -> None:
    clone.replace("params.yaml", "T-shirt/top", "T-shirt")
    ran = clone.dvc("repro", "train@cnn1", "evaluate@cnn1").ran
    assert ran - {"split@standard"} == {"preprocess", "evaluate@cnn1"}
    assert "T-shirt\n" in (clone.folder / "data/evaluation/cnn1/confusion.csv").read_text()


def test_a_published_figure_reruns_the_report_alone(clone: Clone) -> None:
    clone.replace("published.yaml", "claim: 91.6 %", "claim: about 92 %")
    assert clone.dvc("repro", "--dry").ran == {"report"}


def test_compiled_modules_are_no_dependency(clone: Clone) -> None:
    (clone.folder / "pipeline/training/__pycache__").mkdir(exist_ok=True)
    (clone.folder / "pipeline/training/__pycache__/x.pyc").write_bytes(b"x")
    assert clone.dvc("repro") == Repro(NOTHING, NOTHING)


def test_the_frontier_runs_only_when_asked(frontier_folder: Path, tmp_path: Path) -> None:
    clone = Clone(Path(shutil.copytree(frontier_folder, tmp_path / "clone", symlinks=True)))
    stages = {f"{stage}@airbench_small" for stage in ("train", "evaluate")} | {"report"}
    assert load_yaml(clone.folder / "frontier/dvc.lock")["stages"].keys() == stages
    assert "airbench_small" in (clone.folder / "frontier/reports/results.md").read_text()
    assert clone.run("git", "diff", "HEAD~3", "--", "dvc.lock", "metrics", "reports") == ""
    assert clone.dvc("repro", "-P") == Repro(NOTHING, NOTHING)

    clone.run("git", "checkout", "--quiet", "HEAD~2")  # before its models were trained
    assert clone.dvc("repro") == Repro(NOTHING, NOTHING)
    assert clone.dvc("repro", "-P", "--dry").ran == {f"frontier/dvc.yaml:{stage}" for stage in stages}
