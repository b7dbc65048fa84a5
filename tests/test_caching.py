"""What reruns when something changes: real DVC in a clone with the models dense128 (the candidate), cnn1 and mlp."""

from tests.clone import Clone, Repro

NOTHING: set[str] = set()


def test_a_second_run_runs_nothing(clone: Clone) -> None:
    assert clone.dvc("repro") == Repro(NOTHING, NOTHING)
    assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."


def test_a_learning_rate_reruns_its_model_and_changing_it_back_restores(clone: Clone) -> None:
    changed = {"train@cnn1", "evaluate@cnn1", "report"}
    clone.change("models.cnn1.optimizer.learning_rate", 0.002)
    assert clone.dvc("repro").ran == changed

    clone.change("model", "cnn1")
    assert clone.dvc("repro") == Repro(ran={"candidate"}, restored=NOTHING)

    clone.change("models.cnn1.optimizer.learning_rate", 0.001)
    assert clone.dvc("repro") == Repro(ran={"candidate"}, restored=changed)  # the candidate follows its model


def test_a_recipe_retrains_the_models_that_name_it(clone: Clone) -> None:
    clone.change("recipes.fast.shift", 1)
    assert clone.dvc("repro").ran == NOTHING
    clone.change("models.cnn1.recipe", "fast")
    assert clone.dvc("repro", "train@dense128", "train@cnn1", "train@mlp").ran == {"train@cnn1"}
    predicted = clone.run("python", "-m", "pipeline", "predict", "--model", "cnn1", "--index", "15")
    assert "test image 15" in predicted


def test_editing_an_architecture_reruns_that_one_alone_and_its_evaluation_if_it_predicts_otherwise(
    clone: Clone,
) -> None:
    clone.replace("pipeline/architectures/cnn1.py", "Dropout(0.5)", "Dropout(0.4)")
    clone.replace("pipeline/architectures/mlp.py", '"""', '"""Edited, to no effect. ')
    assert clone.repro_without_report() == {"train@cnn1", "evaluate@cnn1", "train@mlp", "report"}


def test_editing_the_report_trains_nothing(clone: Clone) -> None:
    clone.replace("pipeline/report/tables.py", '"""', '"""Edited. ')
    assert clone.dvc("repro", "--dry").ran == {"report"}


def test_editing_the_evaluation_trains_nothing(clone: Clone) -> None:
    clone.replace("pipeline/evaluation/scores.py", '"""', '"""Edited. ')
    assert clone.dvc("repro", "--dry").ran == {"evaluate@dense128", "evaluate@cnn1", "evaluate@mlp", "report"}


def test_the_seed_of_the_split_retrains_all(clone: Clone) -> None:
    clone.change("split.seed", 1)
    assert clone.dvc("repro", "split").ran == {"split"}
    assert clone.dvc("repro", "--dry").ran == {"train@dense128", "train@cnn1", "train@mlp", "report"}


def test_another_name_for_a_class_evaluates_again_and_trains_nothing(clone: Clone) -> None:
    clone.replace("params.yaml", "T-shirt/top", "T-shirt")
    assert clone.dvc("repro", "train@cnn1", "evaluate@cnn1").ran == {"preprocess", "evaluate@cnn1"}
    assert "T-shirt\n" in (clone.folder / "data/evaluation/cnn1/confusion.csv").read_text()


def test_a_claim_reruns_the_report_alone(clone: Clone) -> None:
    clone.change("report.claims.cnn1.claim", "about 92 %")
    assert clone.dvc("repro", "--dry").ran == {"report"}
