import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pipeline.artifacts import read_npz, write_csv, write_json, write_npz
from pipeline.errors import InputError
from pipeline.evaluation.confusion import confusion_table
from pipeline.evaluation.predictions import PARTS, SeedPredictions
from pipeline.params.schema import Claim
from pipeline.report.figures.confusion import confusion_figure
from pipeline.report.figures.learning_curves import learning_curves, validation_accuracies
from pipeline.report.figures.png import write_png
from pipeline.report.figures.seeds import seed_accuracies
from pipeline.report.results import SeedRun, TrainedResult, read_result
from pipeline.report.tables import results_markdown, results_table

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
    return {f"{part}_labels": actual for part in PARTS} | {f"{part}_probabilities": certain for part in PARTS}


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
def result(data: Path) -> TrainedResult:
    return read_result("cnn1", CLASSES, data)


def claim(text: str, accuracy: float | None) -> Claim:
    return Claim(article="C", claim=text, accuracy=accuracy)


def test_the_table_has_scores_size_training_and_claim_in_a_row_a_model(result: TrainedResult) -> None:
    other = replace(result, name="resnet8")
    table = results_table([result, other], {"cnn1": claim("91.6 %", 0.916)})
    assert list(table.columns) == [
        *["model", "kind", "seeds", "accuracy", "accuracy_std", "accuracy_low", "accuracy_high"],
        *["f1_macro", "f1_macro_std", "f1_macro_low", "f1_macro_high"],
        *["rank_best", "rank_worst", "not_told_apart_from"],
        *["parameters", "seconds_per_epoch", "best_epoch", "epochs", "article", "claim", "claimed_accuracy"],
    ]
    row = table.iloc[0]
    assert row["accuracy"] == 0.9
    assert row["f1_macro"] == pytest.approx((1 + 800 / 900 + 200 / 300) / 3)
    assert row["accuracy_low"] == pytest.approx(0.9 - 1.96 * (0.9 * 0.1 / 1000) ** 0.5, abs=2e-3)
    assert row["accuracy_high"] == pytest.approx(0.9 + 1.96 * (0.9 * 0.1 / 1000) ** 0.5, abs=2e-3)
    assert row["f1_macro_low"] < row["f1_macro"] < row["f1_macro_high"]
    assert row["rank_best":"not_told_apart_from"].tolist() == [1, 2, "resnet8"]
    assert table["accuracy_std"].isna().all()
    assert row["parameters":].tolist() == [101770, 1.234, 2, 3, "C", "91.6 %", 0.916]
    assert table["model"].tolist() == ["cnn1", "resnet8"]
    assert table.loc[1, ["article", "claim", "claimed_accuracy"]].isna().all()


def test_the_readers_table_shows_per_cents_and_says_what_they_are_of(result: TrainedResult) -> None:
    text = results_markdown([result], {"cnn1": claim("91.6 %", 0.916)})
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
    assert "of models with one seed, intervals and ranks leave out the chance of training" in note


def with_seeds(result: TrainedResult, name: str, *right: float) -> TrainedResult:
    """A model whose seeds get such shares of the 1,000 images right, the first ones, and is so on every part."""
    wrong = np.arange(1000) >= 1000 * np.array(right)[:, np.newaxis]
    certain = np.eye(len(CLASSES), dtype=np.float32)[np.where(wrong, (result.actual + 1) % 3, result.actual)]
    predictions = dict.fromkeys(PARTS, SeedPredictions(result.actual, certain))
    seeds = [SeedRun(seed=seed) for seed in range(len(right))]
    run = result.run.model_copy(update={"seeds": seeds, "seed": int(np.argmax(right))})
    return replace(result, name=name, predictions=predictions, run=run)


def test_several_seeds_have_a_mean_and_a_standard_deviation_and_the_best_model_stands_first(
    result: TrainedResult,
) -> None:
    models = [result, with_seeds(result, "good", 0.98, 0.96, 0.97), with_seeds(result, "poor", 0.5, 0.5, 0.52)]
    _, _, *rows = results_markdown(models, {}).split("\n\n")[0].split("\n")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["`good`", "`cnn1`", "`poor`"]
    assert cells[0][2].startswith("97.00 ± 1.00 % (9")
    assert cells[2][2].startswith("50.67 ± 1.15 % (")
    assert [row[3] for row in cells] == ["3", "1", "3"]
    assert [row[1] for row in cells] == ["1", "2", "3"]


def test_models_that_cannot_be_told_apart_share_ranks_and_are_named(result: TrainedResult) -> None:
    models = [with_seeds(result, name, 0.9, 0.91) for name in ("first", "second")]
    text = results_markdown([*models, with_seeds(result, "poor", 0.5, 0.51)], {})
    rows = {row.split("`")[1]: row.split("|")[2].strip() for row in text.split("\n")[2:5]}
    assert rows == {"first": "1–2", "second": "1–2", "poor": "3"}
    assert text.rstrip("\n").endswith("correction for their number, 3. Not told apart: `first` and `second`.")
    assert "Not told apart: none." in results_markdown([models[0], with_seeds(result, "poor", 0.5, 0.51)], {})


def test_the_kept_seed_is_the_one_that_is_shown(result: TrainedResult) -> None:
    model = with_seeds(result, "cnn1", 0.5, 0.9)
    assert model.kept_scores["accuracy"] == 0.9
    assert model.test_scores["accuracy"] == pytest.approx(0.7)
    assert "cnn1: 90.00% of 1,000" in confusion_figure(model).axes[0].get_title()


def test_the_figure_of_seeds_has_a_dot_for_each_the_best_model_first(result: TrainedResult) -> None:
    models = [with_seeds(result, "poor", 0.5, 0.6), with_seeds(result, "good", 0.9)]
    (axes,) = seed_accuracies(models).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["good", "poor"]
    drawn = [np.asarray(line.get_xydata()).round(6).tolist() for line in axes.get_lines()]
    assert drawn == [[[0.9, 0]], [[0.9, 0]], [[0.55, 1]], [[0.5, 1], [0.6, 1]]]
    intervals = [
        np.asarray(part)[:, 0]
        for lines in axes.collections
        if isinstance(lines, LineCollection)
        for part in lines.get_segments()
    ]
    scores = [models[place].test_scores for place in (1, 0)]
    expected = [[found["accuracy_low"], found["accuracy_high"]] for found in scores]
    np.testing.assert_allclose(intervals, expected)


def test_a_claim_cannot_break_out_of_its_cell(result: TrainedResult) -> None:
    text = results_markdown([result], {"cnn1": claim("a | b\nc", None)})
    assert r"| a \| b c (C) |" in " ".join(text.split())


def test_claims_and_machines_are_text_whatever_is_in_them(result: TrainedResult) -> None:
    hostile = "<img src=x onerror=alert(1)> [x](javascript:alert(2)) `*_"
    escaped = r"\<img src=x onerror=alert(1)\> \[x\](javascript:alert(2)) \`\*\_"
    machine = replace(result, run=result.run.model_copy(update={"processor": hostile}))
    text = results_markdown([machine], {"cnn1": claim(hostile, None)})
    assert text.count(escaped) == 2
    assert hostile not in text


def test_a_model_without_a_claim_shows_a_dash(result: TrainedResult) -> None:
    text = results_markdown([result, replace(result, name="resnet8")], {"cnn1": claim("91.6 %", 0.916)})
    assert "| – |" in " ".join(text.split())


def test_without_any_claim_there_is_no_column_for_them(result: TrainedResult) -> None:
    assert "laim" not in results_markdown([result], {})


@pytest.mark.parametrize(("seconds", "shown"), [(0.01234, "0.012"), (15.2, "15"), (123.4, "120"), (3.0, "3")])
def test_seconds_per_epoch_have_two_significant_digits(result: TrainedResult, seconds: float, shown: str) -> None:
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
def test_an_absent_file_is_named_with_the_stage_that_makes_it(data: Path, path: str, stage: str) -> None:
    (data / path).unlink()
    with pytest.raises(InputError, match=rf"{path}: found no such file; `dvc repro {stage}@cnn1` makes it"):
        read_result("cnn1", CLASSES, data)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("parameters", "many", r"parameters: found 'many', expected: Input should be a valid integer"),
        ("seconds_per_epoch", -1.0, r"seconds_per_epoch: found -1\.0, expected: .*greater than or equal to 0"),
        ("best_epoch", 4, r"found best_epoch 4, expected an epoch of .*cnn1\.csv"),
        ("seeds", [{"seed": 0}, {"seed": 1}], r"found 2 seeds, expected 1 as in .*cnn1\.npz"),
        ("seeds", [], r"seeds: found \[\], expected: .*at least 1"),
        ("seed", 3, r"found seed 3, expected 7, the best on validation in .*cnn1\.npz"),
    ],
)
def test_a_wrong_record_of_a_training_is_refused(data: Path, field: str, value: object, message: str) -> None:
    write_json(data / "runs/cnn1.json", RUN | {field: value})
    with pytest.raises(InputError, match=rf"cnn1\.json: {message}"):
        read_result("cnn1", CLASSES, data)


def test_an_evaluation_of_other_predictions_is_refused(data: Path) -> None:
    arrays = read_npz(data / "predictions/cnn1.npz")
    write_npz(data / "predictions/cnn1.npz", arrays | {"test_labels": arrays["test_labels"][::-1]})
    message = r"confusion\.csv: found other classes than in .*cnn1\.npz; `dvc repro evaluate@cnn1` makes it"
    with pytest.raises(InputError, match=message):
        read_result("cnn1", CLASSES, data)


def test_a_record_without_a_field_or_form_is_refused(data: Path) -> None:
    record = data / "runs/cnn1.json"
    record.write_text(json.dumps({key: value for key, value in RUN.items() if key != "device"}))
    with pytest.raises(InputError, match=r"cnn1\.json: device: found nothing, expected: Field required"):
        read_result("cnn1", CLASSES, data)
    record.write_text("{")
    with pytest.raises(InputError, match=r"cnn1\.json: expected JSON, found: "):
        read_result("cnn1", CLASSES, data)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        (CURVES.drop(columns="val_loss"), "expected numbers in the columns epoch, .*val_loss"),
        (CURVES.assign(loss="low"), "expected numbers in the columns epoch, .*low"),
        (CURVES.assign(loss=[0.9, np.nan, 0.5]), "expected a row an epoch and a finite number"),
        (CURVES[:0], "expected a row an epoch"),
    ],
)
def test_curves_that_are_no_numbers_are_refused(data: Path, curves: pd.DataFrame, message: str) -> None:
    write_csv(data / "curves/cnn1.csv", curves)
    with pytest.raises(InputError, match=rf"cnn1\.csv: {message}"):
        read_result("cnn1", CLASSES, data)


def test_learning_curves_show_each_epoch_and_mark_the_kept_one(result: TrainedResult) -> None:
    loss, accuracy = learning_curves(result).axes
    training, validation, kept = accuracy.lines
    np.testing.assert_array_equal(training.get_xydata(), [[1, 0.6], [2, 0.7], [3, 0.8]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 0.5], [2, 0.7], [3, 0.6]])
    np.testing.assert_array_equal(kept.get_xdata(), [2, 2])
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [0.9, 0.6, 0.5])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [1, 0.7, 0.8])
    assert [line.get_label() for line in loss.lines] == ["training", "validation", "kept epoch (2)"]


@pytest.mark.parametrize("models", [1, 4, 5])
def test_all_models_stand_beside_each_other_with_their_kept_accuracy(result: TrainedResult, models: int) -> None:
    results = [replace(result, name=f"model{number}") for number in range(models)]
    panels = validation_accuracies(results).axes
    assert [panel.get_title() for panel in panels] == [f"model{number}: 70.0%" for number in range(models)]
    assert all(panel.get_xscale() == "log" for panel in panels)


def shares(figure: Figure) -> npt.NDArray[np.float64]:
    """What the colours of a confusion figure show."""
    return np.asarray(figure.axes[0].images[0].get_array())


def test_the_confusion_figure_writes_counts_and_colours_shares_of_the_actual_class(result: TrainedResult) -> None:
    figure = confusion_figure(result)
    axes = figure.axes[0]
    counts = [text.get_text() for text in axes.texts]
    assert counts == ["400", "0", "0", "0", "400", "0", "0", "100", "100"]
    np.testing.assert_array_equal(shares(figure), [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]])
    assert axes.get_title() == "cnn1: 90.00% of 1,000 test images right"
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES


def test_class_names_are_not_read_as_formulas(result: TrainedResult, tmp_path: Path) -> None:
    named = replace(result, classes=["$\\nonsense$", "$", "<b>"])
    write_png(tmp_path / "confusion.png", confusion_figure(named))
    assert (tmp_path / "confusion.png").exists()


def test_a_class_without_test_images_has_an_empty_row(result: TrainedResult) -> None:
    more = replace(result, classes=[*CLASSES, "Dress"])
    np.testing.assert_array_equal(shares(confusion_figure(more))[3], [0, 0, 0, 0])


@pytest.mark.parametrize(("classes", "counted"), [(62, True), (256, False)])
def test_the_confusion_of_many_classes_stays_a_picture_of_one_page(
    result: TrainedResult, classes: int, counted: bool
) -> None:
    named = replace(result, classes=list(map(str, range(classes))))
    figure = confusion_figure(named)
    assert figure.get_figwidth() < 18
    assert bool(figure.axes[0].texts) == counted
    assert shares(figure).shape == (classes, classes)


def test_equal_figures_give_equal_files_that_decode(result: TrainedResult, tmp_path: Path) -> None:
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
