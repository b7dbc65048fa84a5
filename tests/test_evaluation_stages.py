"""The stages evaluate, candidate and report, run in a folder of their own."""

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
from pipeline.data.dataset import SPLITS
from pipeline.io import InputError, write_csv, write_json, write_npz
from tests.helpers.run_stage import run_stage

ROOT = Path(__file__).parents[1]
MODELS = {"cnn2": 0.9, "single_layer": 0.6}  # and the fraction of its predictions that are correct
SEEDS = {"cnn2": 3, "single_layer": 1, "large": 2}
SPLIT = "standard"
NAMES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CLASSES = len(NAMES)
SIZES = {"train": 400, "validation": 100, "test": 200}


def write_workspace() -> None:
    """Write the repository's parameters, cut to two models, and what their trainings write."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["models"] = {name: params["models"][name] | {"split": SPLIT} for name in MODELS}
    params["splits"] = {SPLIT: params["splits"][SPLIT]}
    write_params(Path("params.yaml"), params)
    shutil.copy(ROOT / "published.yaml", "published.yaml")
    write_images()
    for seed, (name, fraction) in enumerate(MODELS.items()):
        write_training(Path("data"), name, (fraction, np.random.default_rng(seed)))


def write_frontier() -> None:
    """Write a second pipeline with one model."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    models = {"large": params["models"]["cnn1"] | {"split": SPLIT}}
    write_params(Path("frontier/params.yaml"), {"recipes": params["recipes"], "models": models})
    write_training(Path("data/frontier"), "large", (0.95, np.random.default_rng(2)))


def write_params(path: Path, params: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        YAML(typ="safe").dump(params, file)


def write_images() -> None:
    """Write noise, of which no two images are alike."""
    noise = np.random.default_rng(0)
    prepared = {
        f"{split}_images": noise.integers(256, size=(images, 8, 8, 1), dtype=np.uint8)
        for split, images in (("train", 500), ("test", 200))
    }
    labels = {f"{split}_labels": (np.arange(images) % CLASSES).astype(np.uint8) for split, images in SIZES.items()}
    train = np.concatenate([labels["train_labels"], labels["validation_labels"]])
    write_npz(Path("data/prepared.npz"), prepared | {"train_labels": train, "test_labels": labels["test_labels"]})
    write_json(Path("data/dataset.json"), {"classes": NAMES, "background": None})
    split = {"train": np.arange(400), "validation": np.arange(400, 500)}
    write_npz(Path(f"data/splits/{SPLIT}.npz"), split | {"offset": np.float32(0), "scale": np.float32(255)})
    stages.duplicates.main()


def write_training(data: Path, name: str, drawn: tuple[float, np.random.Generator]) -> None:
    """Write what the training of a model leaves, from the fraction of correct predictions and a generator."""
    fraction, generator = drawn
    arrays: dict[str, npt.NDArray[Any]] = {}
    seeds = SEEDS[name]
    for split, images in SIZES.items():
        labels = (np.arange(images) % CLASSES).astype(np.uint8)
        correct = generator.random((seeds, images)) < fraction
        predicted = np.where(correct, labels, generator.integers(CLASSES, size=(seeds, images)))
        probabilities = np.where(np.eye(CLASSES)[predicted] > 0, 0.55, 0.05).astype(np.float32)
        arrays |= {f"{split}_labels": labels, f"{split}_probabilities": probabilities}
    write_npz(data / f"predictions/{name}.npz", arrays)
    accuracies = {"accuracy": [0.5, fraction], "val_loss": [1.2, 1.0], "val_accuracy": [0.5, fraction]}
    write_csv(data / f"curves/{name}.csv", pd.DataFrame({"epoch": [1, 2], "loss": [1.1, 0.9], **accuracies}))
    machine = {"backend": "jax", "device": "CPU:0", "processor": "Model T", "cores": 2}
    length = {"parameters": 7850, "epochs": 2, "best_epoch": 2, "seconds_per_epoch": 0.5}
    validation = (arrays["validation_probabilities"].argmax(axis=2) == arrays["validation_labels"]).mean(axis=1)
    of_seeds = {"seed": int(validation.argmax()), "seeds": [{"seed": seed} for seed in range(seeds)]}
    write_json(data / f"runs/{name}.json", machine | length | of_seeds)


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


def probabilities_of(name: str, split: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Read probabilities (seeds, n, classes) and labels (n,) straight from the archive."""
    archive = np.load(f"data/predictions/{name}.npz")
    return archive[f"{split}_probabilities"], archive[f"{split}_labels"]


def correct(name: str, split: str) -> npt.NDArray[np.bool_]:
    """Read which images each seed classifies correctly, (seeds, n), straight from the archive."""
    probabilities, labels = probabilities_of(name, split)
    return np.asarray(probabilities.argmax(axis=2) == labels)


@pytest.mark.usefixtures("reported")
def test_metrics_are_the_headline_of_all_scores() -> None:
    metrics, scores = read("metrics/cnn2.json"), read("data/evaluation/cnn2/scores.json")
    assert metrics["seeds"] == 3
    assert sum(len(metrics[split]) for split in ("test", "validation")) + 1 <= 10
    for split in ("test", "validation"):
        assert metrics[split].items() <= scores[split].items()
    for split in SPLITS:
        assert scores[split]["accuracy"] == pytest.approx(correct("cnn2", split).mean())
    test = scores["test"]
    assert test["accuracy_std"] == pytest.approx(correct("cnn2", "test").mean(axis=1).std(ddof=1))
    for score in ("accuracy", "f1_macro"):
        assert test[f"{score}_low"] < test[score] < test[f"{score}_high"]


@pytest.mark.usefixtures("reported")
def test_ensemble_accuracy_is_that_of_the_mean_probabilities() -> None:
    probabilities, labels = probabilities_of("cnn2", "test")
    expected = np.mean(probabilities.astype(np.float64).mean(axis=0).argmax(axis=1) == labels)
    assert read("metrics/cnn2.json")["test"]["ensemble_accuracy"] == pytest.approx(expected, abs=0.02)  # but for ties


@pytest.mark.usefixtures("reported")
def test_a_single_seed_has_no_ensemble_and_no_deviation() -> None:
    test = read("data/evaluation/single_layer/scores.json")["test"]
    assert read("metrics/single_layer.json")["seeds"] == 1
    assert not {"ensemble_accuracy", "accuracy_std"} & set(test)


@pytest.mark.usefixtures("reported")
def test_evaluate_tabulates_the_best_seeds_test_predictions() -> None:
    confusion = pd.read_csv("data/evaluation/cnn2/confusion.csv")
    per_class = pd.read_csv("data/evaluation/cnn2/per_class.csv")
    assert len(confusion) == 200
    assert confusion["actual"][:3].tolist() == ["T-shirt/top", "Trouser", "Pullover"]
    best = correct("cnn2", "validation").mean(axis=1).argmax()
    assert (confusion["actual"] == confusion["predicted"]).tolist() == correct("cnn2", "test")[best].tolist()
    assert per_class["support"].tolist() == [20] * CLASSES
    hits = confusion[confusion["actual"] == confusion["predicted"]]["actual"].value_counts()
    assert per_class.set_index("class")["recall"].to_dict() == pytest.approx((hits / 20).to_dict())


def test_evaluate_and_candidate_end_with_what_they_made(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(stages.evaluate.main, "cnn2")
    command(stages.candidate.main, "cnn2")
    evaluated, candidate = capsys.readouterr().out.splitlines()[-2:]
    assert evaluated.startswith("cnn2: test accuracy ")
    assert evaluated.endswith("metrics/cnn2.json")
    assert candidate == "metrics/candidate.json: metrics of cnn2"


def test_the_candidates_metrics_are_the_models_and_its_name(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "single_layer")
    command(stages.candidate.main, "single_layer")
    candidate = read("metrics/candidate.json")
    assert list(candidate) == ["model", "seeds", "test", "validation"]
    assert candidate == {"model": "single_layer", **read("metrics/single_layer.json")}


@pytest.mark.parametrize("main", [stages.evaluate.main, stages.candidate.main])
def test_an_unknown_model_is_refused_with_the_known_ones(
    command: Callable[..., None], main: Callable[[], None]
) -> None:
    with pytest.raises(InputError, match="model: found 'cnn9', expected one of cnn2, single_layer"):
        command(main, "cnn9")


@pytest.mark.parametrize("arguments", [[], ["cnn2", "single_layer"]])
def test_exactly_one_model_is_evaluated(command: Callable[..., None], arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(stages.evaluate.main, *arguments)


def test_a_candidate_without_metrics_names_the_stage_to_run(command: Callable[..., None]) -> None:
    with pytest.raises(InputError, match=r"metrics/cnn2\.json: file not found; run `dvc repro evaluate@cnn2`"):
        command(stages.candidate.main, "cnn2")


@pytest.mark.usefixtures("reported")
def test_the_reports_table_equals_the_scores() -> None:
    with Path("reports/results.csv").open(newline="") as file:
        table = {row["model"]: row for row in csv.DictReader(file)}
    assert list(table) == list(MODELS)
    for name, row in table.items():
        test = read(f"data/evaluation/{name}/scores.json")["test"]
        for score in ("accuracy", "f1_macro"):
            for column in (score, f"{score}_low", f"{score}_high", f"{score}_std"):
                assert row[column] == (str(test[column]) if column in test else "")
        assert row["ensemble_accuracy"] == str(test.get("ensemble_accuracy", ""))


def test_the_frontiers_report_compares_with_the_roots_models(
    reported_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(reported_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    write_frontier()
    frontier = ["--params", "frontier/params.yaml"]
    run_stage(stages.evaluate.main, "large", *frontier)
    assert read("frontier/metrics/large.json")["seeds"] == 2
    assert Path("data/frontier/evaluation/large/scores.json").exists()
    run_stage(stages.report.main, *frontier)
    written = sorted(path.name for path in Path("frontier/reports").iterdir())
    assert written == ["curves.png", "index.html", "results.csv", "results.md"]
    assert pd.read_csv("frontier/reports/results.csv")["model"].tolist() == [*MODELS, "large"]
    assert capsys.readouterr().out.splitlines()[-1] == "frontier/reports/index.html: 3 models compared"
    with pytest.raises(InputError, match="found 'large', expected one of cnn2, single_layer"):
        run_stage(stages.evaluate.main, "large")


def test_an_absent_frontier_training_is_named_with_its_target(
    reported_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(reported_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    write_frontier()
    Path("data/frontier/predictions/large.npz").unlink()
    with pytest.raises(InputError, match=r"large\.npz: file not found; run `dvc repro frontier/dvc\.yaml:train@large`"):
        run_stage(stages.evaluate.main, "large", "--params", "frontier/params.yaml")


@pytest.mark.usefixtures("reported")
def test_the_report_has_a_page_of_all_models() -> None:
    page = Path("reports/index.html").read_text()
    assert all(f'<th scope="row" data-value="{name}">' in page for name in MODELS)


@pytest.mark.usefixtures("reported")
def test_the_report_has_a_table_for_readers() -> None:
    table = Path("reports/results.md").read_text()
    assert all(f"`{name}`" in table for name in MODELS)
    assert "Published accuracy (article)" in table


@pytest.mark.usefixtures("reported")
def test_the_report_has_figures_of_each_model() -> None:
    figures = {str(path.relative_to("reports/figures")) for path in Path("reports/figures").rglob("*.png")}
    of_each = {f"{kind}/{name}.png" for kind in ("curves", "confusion", "predictions") for name in MODELS}
    of_all = {f"{name}.png" for name in ("samples", "pixel_range", "class_counts")}
    assert figures == of_all | of_each
    assert Path("reports/curves.png").exists()


def test_a_deleted_model_leaves_the_report(
    reported_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(reported_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("metrics")
    shutil.rmtree("reports")  # as DVC does
    params = YAML(typ="safe").load(Path("params.yaml"))
    del params["models"]["single_layer"]
    write_params(Path("params.yaml"), params)
    run_stage(stages.report.main)
    assert pd.read_csv("reports/results.csv")["model"].tolist() == ["cnn2"]
    assert not Path("reports/figures/curves/single_layer.png").exists()


def test_the_report_names_the_stage_of_a_missing_evaluation(command: Callable[..., None]) -> None:
    command(stages.evaluate.main, "cnn2")
    with pytest.raises(InputError, match=r"single_layer/confusion\.csv: file not found; run `dvc repro evaluate@si"):
        command(stages.report.main)
    assert not Path("reports").exists()


def test_evaluation_and_report_import_no_keras() -> None:
    code = "import sys, stages.evaluate, stages.candidate, stages.report; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not {"keras", "tensorflow", "jax", "torch"} & set(modules.split())
