"""Results, their tables, and the figures of models."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.config import Layout, Published
from pipeline.data.dataset import SPLITS
from pipeline.evaluation.metrics import confusion_table
from pipeline.evaluation.predictions import SeedPredictions
from pipeline.io import InputError, read_npz, write_csv, write_json, write_npz
from pipeline.report.figures.models import confusion_figure, learning_curves, validation_accuracies
from pipeline.report.figures.style import write_png
from pipeline.report.results import DRAWN_EPOCHS, Result, SeedRun, load_result
from pipeline.report.tables import results_markdown, results_table, summary, training_variance_note
from tests.helpers.small_run import CONFIG

CLASSES = ["Shirt", "Coat", "Bag"]
RUN = {
    "backend": "tensorflow",
    "device": "CPU:0",
    "processor": "Model T",
    "cores": 2,
    "parameters": 101770,
    "epochs": 3,
    "best_epoch": 2,
    "seconds_per_epoch": 1.234,
    "seed": 7,
    "seeds": [{"seed": 7, "validation_accuracy": 0.7}],
    "keras": "3.15.0",
}
CURVES = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [0.9, 0.6, 0.5],
        "accuracy": [0.6, 0.7, 0.8],
        "val_loss": [1, 0.7, 0.8],
        "val_accuracy": [0.5, 0.7, 0.6],
    }
)


def archive(actual: npt.NDArray[np.uint8], predicted: npt.NDArray[np.int64]) -> Mapping[str, npt.ArrayLike]:
    """Certain predictions of seeds (seeds, n), the same of each part."""
    certain = np.eye(len(CLASSES), dtype=np.float32)[predicted]
    return {f"{split}_labels": actual for split in SPLITS} | {f"{split}_probabilities": certain for split in SPLITS}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The files of one model, cnn1: 1,000 images of three classes, every second Bag taken for a Coat."""
    actual = np.repeat(np.arange(3, dtype=np.uint8), [400, 400, 200])
    predicted = np.where((actual == 2) & (np.arange(1000) % 2 == 0), 1, actual)
    write_csv(tmp_path / "evaluation/cnn1/confusion.csv", confusion_table(actual, predicted, CLASSES))
    write_npz(tmp_path / "predictions/cnn1.npz", archive(actual, predicted[np.newaxis]))
    write_csv(tmp_path / "curves/cnn1.csv", CURVES)
    write_json(tmp_path / "runs/cnn1.json", RUN)
    return tmp_path


@pytest.fixture
def result(data: Path) -> Result:
    return load_result(Layout(data), "cnn1", CONFIG, CLASSES)


def published(text: str, accuracy: float | None) -> Published:
    return Published(article="C", claim=text, accuracy=accuracy)


def test_the_table_has_one_row_for_each_model(result: Result) -> None:
    other = replace(result, name="resnet8")
    table = results_table([result, other], {"cnn1": published("91.6 %", 0.916)})
    assert list(table.columns) == [
        *["model", "seeds", "accuracy", "accuracy_std", "accuracy_low", "accuracy_high"],
        *["f1_macro", "f1_macro_std", "f1_macro_low", "f1_macro_high", "ensemble_accuracy"],
        *["rank_best", "rank_worst", "tied_with"],
        *["parameters", "seconds_per_epoch", "best_epoch", "epochs", "article", "claim", "published_accuracy"],
    ]
    row = table.iloc[0]
    assert row["accuracy"] == 0.9
    assert row["f1_macro"] == pytest.approx((1 + 800 / 900 + 200 / 300) / 3)
    assert row["accuracy_low"] == pytest.approx(0.9 - 1.96 * (0.9 * 0.1 / 1000) ** 0.5, abs=2e-3)
    assert row["accuracy_high"] == pytest.approx(0.9 + 1.96 * (0.9 * 0.1 / 1000) ** 0.5, abs=2e-3)
    assert row["f1_macro_low"] < row["f1_macro"] < row["f1_macro_high"]
    assert row["rank_best":"tied_with"].tolist() == [1, 2, "resnet8"]
    assert table["accuracy_std"].isna().all()
    assert row["parameters":].tolist() == [101770, 1.234, 2, 3, "C", "91.6 %", 0.916]
    assert table["model"].tolist() == ["cnn1", "resnet8"]
    assert table.loc[1, ["article", "claim", "published_accuracy"]].isna().all()


def test_the_readers_table_shows_percentages_and_notes(result: Result) -> None:
    text = results_markdown([result], {"cnn1": published("91.6 %", 0.916)})
    header, _, row, empty, note = text.rstrip("\n").split("\n")  # and no ranks of one model
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    low, high = (100 * result.test_scores[f"accuracy_{end}"] for end in ("low", "high"))
    assert cells == [
        *["`cnn1`", "1", f"90.00 % ({low:.2f}–{high:.2f} %)", "1", "91.6 % (C)"],
        *["85.19 %", "101,770", "1.2", "2 of 3"],
    ]
    assert header.count("|") == row.count("|")
    assert empty == ""
    assert "1,000 test images" in note
    assert "tensorflow on CPU:0 (Model T, 2 cores)" in note
    assert "percentile bootstraps over the test images" in note
    assert "With a single seed, intervals and ranks do not include training variance." in note


def with_seeds(result: Result, name: str, *correct: float) -> Result:
    """Return a model whose seeds classify such fractions of the 1,000 images correctly, the first ones."""
    wrong = np.arange(1000) >= 1000 * np.array(correct)[:, np.newaxis]
    certain = np.eye(len(CLASSES), dtype=np.float32)[np.where(wrong, (result.actual + 1) % 3, result.actual)]
    predictions = dict.fromkeys(SPLITS, SeedPredictions(result.actual, certain))
    seeds = [SeedRun(seed=seed) for seed in range(len(correct))]
    run = result.run.model_copy(update={"seeds": seeds, "seed": int(np.argmax(correct))})
    return replace(result, name=name, predictions=predictions, run=run)


def test_several_seeds_have_mean_deviation_and_ensemble(
    result: Result,
) -> None:
    models = [result, with_seeds(result, "good", 0.98, 0.96, 0.97), with_seeds(result, "poor", 0.5, 0.5, 0.52)]
    _, _, *rows = results_markdown(models, {}).split("\n\n")[0].split("\n")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["`good`", "`cnn1`", "`poor`"]
    assert cells[0][2].startswith("97.00 ± 1.00 % (9")
    assert cells[2][2].startswith("50.67 ± 1.15 % (")
    assert [row[3] for row in cells] == ["3", "1", "3"]
    assert [row[4] for row in cells] == ["97.00 %", "–", "50.00 %"]  # of three, two are wrong from the median on
    assert [row[1] for row in cells] == ["1", "2", "3"]


def test_tied_models_share_ranks_and_are_named(result: Result) -> None:
    models = [with_seeds(result, name, 0.9, 0.91) for name in ("first", "second")]
    text = results_markdown([*models, with_seeds(result, "poor", 0.5, 0.51)], {})
    rows = {row.split("`")[1]: row.split("|")[2].strip() for row in text.split("\n")[2:5]}
    assert rows == {"first": "1–2", "second": "1–2", "poor": "3"}
    assert text.rstrip("\n").endswith(
        "corrected by Holm's method. No significant difference within: `first` and `second`."
    )
    assert "within: none." in results_markdown([models[0], with_seeds(result, "poor", 0.5, 0.51)], {})


def test_the_best_seed_is_the_one_that_is_shown(result: Result) -> None:
    model = with_seeds(result, "cnn1", 0.5, 0.9)
    assert model.best_scores["accuracy"] == 0.9
    assert model.test_scores["accuracy"] == pytest.approx(0.7)
    assert "cnn1: accuracy 90.00% on 1,000" in confusion_figure(model).axes[0].get_title()


def test_the_notes_say_what_intervals_and_ranks_include(result: Result) -> None:
    several = with_seeds(result, "good", 0.9, 0.91)
    assert training_variance_note([several]).endswith("the test images and the seeds.")
    assert "ranks use the seed variance of the model with several seeds" in training_variance_note([several, result])
    both = training_variance_note([several, several, result])
    assert "the interval does not include training variance" in both
    assert "ranks use the mean seed variance of the 2 models with several seeds" in both


def test_the_summary_names_the_three_most_accurate_models(result: Result) -> None:
    accuracies = {"poor": 0.1, "good": 0.9, "best": 0.95, "fair": 0.5}
    lines = summary([with_seeds(result, name, value) for name, value in accuracies.items()]).split("\n")
    assert [line.split()[:2] for line in lines] == [["best", "95.00"], ["good", "90.00"], ["fair", "50.00"]]


def test_a_claim_cannot_break_out_of_its_cell(result: Result) -> None:
    text = results_markdown([result], {"cnn1": published("a | b", None)})
    assert r"| a \| b (C) |" in " ".join(text.split())


def test_claims_and_machines_are_escaped(result: Result) -> None:
    hostile = "<img src=x onerror=alert(1)> [x](javascript:alert(2)) `*_"
    escaped = r"\<img src=x onerror=alert(1)\> \[x\](javascript:alert(2)) \`\*\_"
    machine = replace(result, run=result.run.model_copy(update={"processor": hostile}))
    text = results_markdown([machine], {"cnn1": published(hostile, None)})
    assert text.count(escaped) == 2
    assert hostile not in text


def test_a_model_without_a_claim_shows_a_dash(result: Result) -> None:
    text = results_markdown([result, replace(result, name="resnet8")], {"cnn1": published("91.6 %", 0.916)})
    assert "| – |" in " ".join(text.split())


def test_without_published_results_there_is_no_column(result: Result) -> None:
    assert "ublished" not in results_markdown([result], {})


@pytest.mark.parametrize(("seconds", "shown"), [(0.01234, "0.012"), (15.2, "15"), (123.4, "123"), (3.0, "3")])
def test_seconds_per_epoch_have_two_significant_digits(result: Result, seconds: float, shown: str) -> None:
    timed = replace(result, run=result.run.model_copy(update={"seconds_per_epoch": seconds}))
    assert f"| {shown} | 2 of 3 |" in " ".join(results_markdown([timed], {}).split())


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("evaluation/cnn1/confusion.csv", "evaluate"),
        ("predictions/cnn1.npz", "train"),
        ("curves/cnn1.csv", "train"),
        ("runs/cnn1.json", "train"),
    ],
)
def test_an_absent_file_is_named_with_the_stage_to_run(data: Path, path: str, stage: str) -> None:
    (data / path).unlink()
    with pytest.raises(InputError, match=rf"{path}: file not found; run `dvc repro .*{stage}@cnn1`"):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("parameters", "many", r"parameters: found 'many', expected: a valid integer"),
        ("seconds_per_epoch", -1.0, r"seconds_per_epoch: found -1\.0, expected: .*greater than or equal to 0"),
        ("best_epoch", 4, r"found best_epoch 4, expected an epoch in .*cnn1\.csv"),
        ("seeds", [{"seed": 0}, {"seed": 1}], r"found 2 seeds, expected 1 as in .*cnn1\.npz"),
        ("seeds", [], r"seeds: found \[\], expected: .*at least 1"),
        ("seed", 3, r"found seed 3, expected 7, the one with the best validation accuracy in .*cnn1\.npz"),
    ],
)
def test_a_wrong_record_of_a_training_is_refused(data: Path, field: str, value: object, message: str) -> None:
    write_json(data / "runs/cnn1.json", RUN | {field: value})
    with pytest.raises(InputError, match=rf"cnn1\.json: {message}"):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)


def test_an_evaluation_of_other_predictions_is_refused(data: Path) -> None:
    arrays = read_npz(data / "predictions/cnn1.npz")
    write_npz(data / "predictions/cnn1.npz", arrays | {"test_labels": arrays["test_labels"][::-1]})
    message = r"confusion\.csv: found other classes than in .*cnn1\.npz; run `dvc repro .*evaluate@cnn1`"
    with pytest.raises(InputError, match=message):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)


def test_a_record_without_a_field_or_form_is_refused(data: Path) -> None:
    record = data / "runs/cnn1.json"
    record.write_text(json.dumps({key: value for key, value in RUN.items() if key != "device"}))
    with pytest.raises(InputError, match=r"cnn1\.json: device: found nothing, expected: a value"):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)
    record.write_text("{")
    with pytest.raises(InputError, match=r"cnn1\.json: expected JSON, found: "):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        (CURVES.drop(columns="val_loss"), "expected numbers in the columns epoch, .*val_loss"),
        (CURVES.assign(loss="low"), "expected numbers in the columns epoch, .*low"),
        (CURVES.assign(loss=[0.9, np.nan, 0.5]), "expected one row for each epoch and a finite number"),
        (CURVES[:0], "expected one row for each epoch"),
    ],
)
def test_curves_that_are_no_numbers_are_refused(data: Path, curves: pd.DataFrame, message: str) -> None:
    write_csv(data / "curves/cnn1.csv", curves)
    with pytest.raises(InputError, match=rf"cnn1\.csv: {message}"):
        load_result(Layout(data), "cnn1", CONFIG, CLASSES)


def test_learning_curves_show_each_epoch_and_mark_the_best(result: Result) -> None:
    loss, accuracy = learning_curves(result).axes
    training, validation, best = accuracy.lines
    np.testing.assert_array_equal(training.get_xydata(), [[1, 0.6], [2, 0.7], [3, 0.8]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 0.5], [2, 0.7], [3, 0.6]])
    np.testing.assert_array_equal(best.get_xdata(), [2, 2])
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [0.9, 0.6, 0.5])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [1, 0.7, 0.8])
    assert [line.get_label() for line in loss.lines] == ["training", "validation", "best epoch (2)"]


@pytest.mark.parametrize("models", [1, 4, 5])
def test_each_model_has_a_panel_with_its_best_accuracy(result: Result, models: int) -> None:
    results = [replace(result, name=f"model{number}") for number in range(models)]
    panels = validation_accuracies(results).axes
    assert [panel.get_title() for panel in panels] == [f"model{number}: 70.0%" for number in range(models)]
    assert all(panel.get_xscale() == "log" for panel in panels)


def test_long_trainings_are_thinned_out(result: Result) -> None:
    epochs = np.arange(1, 1001)
    curves = pd.DataFrame({"epoch": epochs} | dict.fromkeys(CURVES.columns[1:], 1 - 1 / epochs))
    long = replace(result, curves=curves, run=result.run.model_copy(update={"epochs": 1000, "best_epoch": 997}))
    drawn = long.drawn_curves["epoch"].to_numpy()
    assert len(drawn) <= DRAWN_EPOCHS + 1
    assert {1, 997, 1000} <= set(drawn.tolist())
    (panel,) = validation_accuracies([long]).axes
    assert np.size(panel.lines[-2].get_xdata()) == len(drawn)


def fractions(figure: Figure) -> npt.NDArray[np.float64]:
    """What the colours of a confusion figure show."""
    return np.asarray(figure.axes[0].images[0].get_array())


def test_the_confusion_figure_has_counts_and_colours(result: Result) -> None:
    figure = confusion_figure(result)
    axes = figure.axes[0]
    counts = [text.get_text() for text in axes.texts]
    assert counts == ["400", "0", "0", "0", "400", "0", "0", "100", "100"]
    np.testing.assert_array_equal(fractions(figure), [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]])
    assert axes.get_title() == "cnn1: accuracy 90.00% on 1,000 test images"
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES


def test_class_names_are_not_read_as_formulas(result: Result, tmp_path: Path) -> None:
    named = replace(result, classes=["$\\nonsense$", "$", "<b>"])
    write_png(tmp_path / "confusion.png", confusion_figure(named))
    assert (tmp_path / "confusion.png").exists()


def test_a_class_without_test_images_has_an_empty_row(result: Result) -> None:
    more = replace(result, classes=[*CLASSES, "Dress"])
    np.testing.assert_array_equal(fractions(confusion_figure(more))[3], [0, 0, 0, 0])


@pytest.mark.parametrize(("classes", "counted"), [(62, True), (256, False)])
def test_the_confusion_of_many_classes_fits_a_page(result: Result, classes: int, counted: bool) -> None:
    named = replace(result, classes=list(map(str, range(classes))))
    figure = confusion_figure(named)
    assert figure.get_figwidth() < 18
    assert bool(figure.axes[0].texts) == counted
    assert fractions(figure).shape == (classes, classes)


def test_equal_figures_give_equal_files_that_decode(result: Result, tmp_path: Path) -> None:
    figures = {"curves": learning_curves, "confusion": confusion_figure}
    for name, figure in figures.items():
        write_png(tmp_path / f"{name}-1.png", figure(result))
        write_png(tmp_path / f"{name}-2.png", figure(result))
        content = (tmp_path / f"{name}-1.png").read_bytes()
        assert content == (tmp_path / f"{name}-2.png").read_bytes()
        assert b"Matplotlib" not in content
        pixels = matplotlib.image.imread(tmp_path / f"{name}-1.png")
        assert min(pixels.shape[:2]) > 400
        assert pixels.min() < 0.2
