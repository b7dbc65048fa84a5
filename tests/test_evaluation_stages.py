import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from ruamel.yaml import YAML

import stages.candidate
import stages.duplicates
import stages.evaluate
import stages.report
from pipeline.artifacts import write_csv, write_json, write_npz
from pipeline.errors import InputError
from pipeline.evaluation.predictions import PARTS

ROOT = Path(__file__).parents[1]
MODELS = {"cnn2": 0.9, "single_layer": 0.6}  # and how many of its predictions are right
SEEDS = {"cnn2": 3, "single_layer": 1}
NAMES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CLASSES = len(NAMES)
SIZES = {"train": 400, "validation": 100, "test": 200}


def write_workspace() -> None:
    """Write the repository's parameters, cut to two models, and what their trainings write."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["models"] = {name: params["models"][name] for name in MODELS}
    params["ensembles"] = params["students"] = {}
    params["report"]["claims"] = {name: params["report"]["claims"][name] for name in MODELS}
    write_params(params)
    write_images()
    for seed, (name, share) in enumerate(MODELS.items()):
        write_training(name, share, np.random.default_rng(seed))


def write_params(params: dict[str, Any]) -> None:
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(params, file)


def write_images() -> None:
    """Noise, of which no two images are alike."""
    noise = np.random.default_rng(0)
    prepared = {"offset": np.float32(0), "scale": np.float32(255)} | {
        f"{part}_images": noise.integers(256, size=(images, 8, 8, 1), dtype=np.uint8)
        for part, images in (("train", 500), ("test", 200))
    }
    labels = {f"{part}_labels": (np.arange(images) % CLASSES).astype(np.uint8) for part, images in SIZES.items()}
    train = np.concatenate([labels["train_labels"], labels["validation_labels"]])
    write_npz(Path("data/prepared.npz"), prepared | {"train_labels": train, "test_labels": labels["test_labels"]})
    write_json(Path("data/dataset.json"), {"classes": NAMES, "background": None})
    write_npz(Path("data/split.npz"), {"train": np.arange(400), "validation": np.arange(400, 500)})
    stages.duplicates.main()


def write_training(name: str, share: float, generator: np.random.Generator) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {}
    seeds = SEEDS[name]
    for part, images in SIZES.items():
        labels = (np.arange(images) % CLASSES).astype(np.uint8)
        right = generator.random((seeds, images)) < share
        predicted = np.where(right, labels, generator.integers(CLASSES, size=(seeds, images)))
        probabilities = np.where(np.eye(CLASSES)[predicted] > 0, 0.55, 0.05).astype(np.float32)
        arrays |= {f"{part}_labels": labels, f"{part}_probabilities": probabilities}
    write_npz(Path(f"data/predictions/{name}.npz"), arrays)
    accuracies = {"accuracy": [0.5, share], "val_loss": [1.2, 1.0], "val_accuracy": [0.5, share]}
    write_csv(Path(f"data/curves/{name}.csv"), pd.DataFrame({"epoch": [1, 2], "loss": [1.1, 0.9], **accuracies}))
    machine = {"backend": "jax", "device": "CPU:0", "processor": "Model T", "cores": 2}
    length = {"parameters": 7850, "epochs": 2, "best_epoch": 2, "seconds_per_epoch": 0.5}
    validation = (arrays["validation_probabilities"].argmax(axis=2) == arrays["validation_labels"]).mean(axis=1)
    of_seeds = {"seed": int(validation.argmax()), "seeds": [{"seed": seed} for seed in range(seeds)]}
    write_json(Path(f"data/runs/{name}.json"), machine | length | of_seeds)


def run_stage(main: Callable[[], None], *arguments: str) -> None:
    """Run a stage's `main` in the working folder with the arguments given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["stage", *arguments])
        main()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a stage in a workspace of the test's own."""
    monkeypatch.chdir(tmp_path)
    write_workspace()
    return run_stage


@pytest.fixture(scope="module")
def reported_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with both models evaluated and reported; not to be changed."""
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_workspace()
        for name in MODELS:
            run_stage(stages.evaluate.main, name)
        run_stage(stages.report.main)
    return folder


@pytest.fixture
def reported(reported_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reported_folder)


def read(path: str) -> Any:
    return json.loads(Path(path).read_text())


def right(name: str, part: str) -> npt.NDArray[np.bool_]:
    """Which images each seed gets right, (seeds, n), straight from the archive."""
    archive = np.load(f"data/predictions/{name}.npz")
    return np.asarray(archive[f"{part}_probabilities"].argmax(axis=2) == archive[f"{part}_labels"])


def test_evaluate_scores_each_part_over_the_seeds_and_gives_intervals_for_the_test_part(
    command: Callable[..., None],
) -> None:
    command(stages.evaluate.main, "cnn2")
    metrics = read("metrics/cnn2.json")
    assert list(metrics) == ["seeds", "train", "validation", "test"]
    assert metrics["seeds"] == 3
    figures = ["accuracy_low", "accuracy_high", "f1_macro_low", "f1_macro_high", "accuracy_std", "f1_macro_std"]
    assert list(metrics["test"]) == [*metrics["train"], *figures]
    for part in PARTS:
        assert metrics[part]["accuracy"] == pytest.approx(right("cnn2", part).mean())
    assert metrics["test"]["accuracy_std"] == pytest.approx(right("cnn2", "test").mean(axis=1).std(ddof=1))
    for score in ("accuracy", "f1_macro"):
        assert metrics["test"][f"{score}_low"] < metrics["test"][score] < metrics["test"][f"{score}_high"]


def test_one_seed_has_no_standard_deviation(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "single_layer")
    metrics = read("metrics/single_layer.json")
    assert metrics["seeds"] == 1
    assert list(metrics["test"])[-2:] == ["f1_macro_low", "f1_macro_high"]


def test_evaluate_writes_the_test_parts_confusion_and_classes_of_the_kept_seed(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "cnn2")
    confusion = pd.read_csv("data/evaluation/cnn2/confusion.csv")
    per_class = pd.read_csv("data/evaluation/cnn2/per_class.csv")
    assert len(confusion) == 200
    assert confusion["actual"][:3].tolist() == ["T-shirt/top", "Trouser", "Pullover"]
    kept = right("cnn2", "validation").mean(axis=1).argmax()
    assert (confusion["actual"] == confusion["predicted"]).tolist() == right("cnn2", "test")[kept].tolist()
    assert per_class["support"].tolist() == [20] * CLASSES
    hits = confusion[confusion["actual"] == confusion["predicted"]]["actual"].value_counts()
    assert per_class.set_index("class")["recall"].to_dict() == pytest.approx((hits / 20).to_dict())


def test_the_candidates_metrics_are_those_of_the_model_and_its_name(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "single_layer")
    command(stages.candidate.main, "single_layer")
    candidate = read("metrics/candidate.json")
    assert list(candidate) == ["model", "seeds", "train", "validation", "test"]
    assert candidate == {"model": "single_layer", **read("metrics/single_layer.json")}


@pytest.mark.parametrize("main", [stages.evaluate.main, stages.candidate.main])
@pytest.mark.parametrize("arguments", [["cnn9"], [], ["cnn2", "single_layer"]])
def test_a_name_that_is_no_model_is_refused_with_those_there_are(
    command: Callable[..., None], main: Callable[[], None], arguments: list[str]
) -> None:
    found = " ".join(arguments)
    with pytest.raises(InputError, match=rf"model: found '{found}', expected one of cnn2, single_layer"):
        command(main, *arguments)


def test_a_candidate_without_metrics_is_refused_with_the_stage_that_makes_them(command: Callable[..., None]) -> None:
    with pytest.raises(InputError, match=r"metrics/cnn2\.json: found no such file; `dvc repro evaluate@cnn2` makes it"):
        command(stages.candidate.main, "cnn2")


@pytest.mark.usefixtures("reported")
def test_the_reports_table_equals_the_metrics() -> None:
    with Path("reports/results.csv").open(newline="") as file:
        table = {row["model"]: row for row in csv.DictReader(file)}
    assert list(table) == list(MODELS)
    for name, row in table.items():
        test = read(f"metrics/{name}.json")["test"]
        for score in ("accuracy", "f1_macro"):
            for figure in (score, f"{score}_low", f"{score}_high", f"{score}_std"):
                assert row[figure] == (str(test[figure]) if figure in test else "")


@pytest.mark.usefixtures("reported")
def test_the_report_has_a_page_of_all_models() -> None:
    page = Path("reports/index.html").read_text()
    assert all(f'<th scope="row" data-value="{name}">' in page for name in MODELS)


@pytest.mark.usefixtures("reported")
def test_the_report_has_figures_of_each_model() -> None:
    figures = {str(path.relative_to("reports/figures")) for path in Path("reports/figures").rglob("*.png")}
    of_each = {f"{kind}/{name}.png" for kind in ("curves", "confusion", "predictions") for name in MODELS}
    of_all = {f"{name}.png" for name in ("samples", "pixel_range", "class_counts", "seeds", "accuracy_by_size")}
    assert figures == of_all | of_each
    assert Path("reports/curves.png").exists()


def test_a_model_that_left_the_parameters_leaves_the_report_which_needs_no_metrics(
    reported_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(reported_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("metrics")
    shutil.rmtree("reports")  # as DVC does
    params = YAML(typ="safe").load(Path("params.yaml"))
    del params["models"]["single_layer"], params["report"]["claims"]["single_layer"]
    write_params(params)
    run_stage(stages.report.main)
    assert pd.read_csv("reports/results.csv")["model"].tolist() == ["cnn2"]
    assert not Path("reports/figures/curves/single_layer.png").exists()


def test_the_report_names_the_file_of_a_model_that_was_not_evaluated(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "cnn2")
    with pytest.raises(InputError, match=r"single_layer/confusion\.csv: found no such file; `dvc repro evaluate@si"):
        command(stages.report.main)
    assert not Path("reports").exists()


def test_evaluation_and_report_import_no_keras() -> None:
    code = "import sys, stages.evaluate, stages.candidate, stages.report; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not {"keras", "tensorflow", "jax", "torch"} & set(modules.split())
