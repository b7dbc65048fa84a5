"""The page as a file: what is in it, and that it needs nothing else. `test_browser.py` opens it."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from pipeline.config import Published
from pipeline.data.dataset import Dataset, Split
from pipeline.evaluation.predictions import SeedPredictions
from pipeline.evaluation.significance import rank, variance_components
from pipeline.io import InputError, read_npz, write_npz
from pipeline.report.page.build import SCRIPTS, TEMPLATES, render
from pipeline.report.page.charts import LABEL_HEIGHT, SIZE_HEIGHT, accuracy_by_size
from pipeline.report.page.data import Source
from pipeline.report.page.sprites import sprite_sheet
from pipeline.report.tables import results_table
from tests.helpers.small_run import (
    CLASSES,
    CONFIG,
    MODELS,
    best_on_test,
    correct_on_test,
    small_source,
    write_small_run,
)

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def html(source: Source) -> str:
    return render(source)


class Elements(HTMLParser):
    """All elements with their attributes, and the text of those that have an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._id = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._id = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        if self._id:
            self.texts[self._id] = self.texts.get(self._id, "") + data


def script_data(html: str) -> Any:
    return json.loads(Elements(html).texts["page-data"])


def integers(text: str, dtype: str) -> npt.NDArray[Any]:
    return np.frombuffer(b64decode(text), dtype)


def cells(html: str, table: str) -> list[list[str]]:
    """The text of a table's body, row by row."""
    body = re.search(rf'<table[^>]*id="{table}".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    assert body
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [
        [" ".join(re.sub("<.*?>", "", cell).split()) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    elements = Elements(html).found
    loading = [
        attributes[name]
        for _, attributes in elements
        for name in ("src", "href", "srcset", "data", "action", "poster")
        if name in attributes
    ]
    assert loading
    assert all(str(address).startswith(("#", "data:")) for address in loading)
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style
    assert "@import" not in style[1]
    assert set(re.findall(r"url\(.(\w+):", style[1])) == {"data"}


def test_only_the_pages_own_scripts_may_run(html: str) -> None:
    (policy,) = (attributes["content"] for tag, attributes in Elements(html).found if "http-equiv" in attributes)
    assert policy
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    assert re.fullmatch(r"('sha256-\S{44}' ?){2}", directives["script-src"])


def test_equal_inputs_give_an_equal_page(source: Source, html: str) -> None:
    assert render(source) == html


def test_twelve_poor_models_stay_below_six_megabytes(source: Source, html: str) -> None:
    sheet = len(sprite_sheet(source.images["test"])) / 200 * 10_000  # a larger sheet needs no more an image
    mistakes = 12 * 3_000 * (4 + 1 + 10)  # bytes of position, predicted class and probabilities
    assert len(html.encode()) + (sheet + mistakes) * 4 / 3 < 6e6


def test_the_table_shows_the_scores(source: Source, html: str) -> None:
    rows = {row[0]: row for row in cells(html, "results")}
    for result in source.results:
        scores = {name: f"{100 * value:.2f}" for name, value in result.test_scores.items()}
        deviation = f" ± {scores['accuracy_std']}" if "accuracy_std" in scores else ""
        accuracy = f"{scores['accuracy']} %{deviation} {scores['accuracy_low']}–{scores['accuracy_high']}"
        f1 = f"{scores['f1_macro']} % {scores['f1_macro_low']}–{scores['f1_macro_high']}"
        row = rows[result.name]
        assert row[1] == accuracy
        ensemble = f"{scores['ensemble_accuracy']} %" if "ensemble_accuracy" in scores else "–"
        assert row[3:7] == [str(len(result.correct)), ensemble, f1, f"{result.run.parameters:,}"]
        assert row[8] == "2 of 3"
    assert rows["cnn1"][9] == "91.6 % article C"
    assert rows["mlp"][9] == "–"
    assert "±" in rows["cnn1"][1]
    assert "±" not in rows["single_layer"][1]


@pytest.mark.parametrize("name", MODELS)
def test_every_mistake_is_there_most_confident_first(data: Path, html: str, name: str) -> None:
    page = script_data(html)
    (model,) = (model for model in page["models"] if model["name"] == name)
    labels, probabilities = best_on_test(data, name)
    wrong = [image for image in range(200) if probabilities[image].argmax() != labels[image]]
    wrong.sort(key=lambda image: -probabilities[image].max())
    positions = integers(model["mistakes"], "<u4")
    np.testing.assert_array_equal(integers(page["numbers"], "<u4")[positions], wrong)
    np.testing.assert_array_equal(integers(page["labels"], "u1")[positions], labels[wrong])
    np.testing.assert_array_equal(integers(model["predicted"], "u1"), probabilities[wrong].argmax(axis=1))
    shown = integers(model["probabilities"], "u1").reshape(-1, 10) / 255
    np.testing.assert_allclose(shown, probabilities[wrong], atol=0.5 / 255 + 1e-6)


def test_each_misclassified_image_is_in_the_picture_once(source: Source, data: Path, html: str) -> None:
    page = script_data(html)
    encoded = re.search(r"url\(.data:image/webp;base64,([^\"]+)", html)
    assert encoded
    picture = np.asarray(Image.open(BytesIO(b64decode(encoded[1]))).convert("L"))
    tiles = picture.reshape(picture.shape[0] // 28, 28, page["columns"], 28).swapaxes(1, 2).reshape(-1, 28, 28)
    union: set[int] = set()
    for model in page["models"]:
        union |= set(integers(model["mistakes"], "<u4").tolist())
    numbers = integers(page["numbers"], "<u4")
    of_union = [int(numbers[position]) for position in union]
    assert len(of_union) == len(set(of_union))
    for position in union:
        image = source.images["test"][numbers[position], ..., 0]
        np.testing.assert_allclose(tiles[position].astype(int), image, atol=255 / 31 / 2 + 1)


def test_each_two_models_are_compared_over_their_seeds(data: Path, html: str) -> None:
    page = script_data(html)
    right = [correct_on_test(data, name) for name in MODELS]
    assert [(pair["first"], pair["second"]) for pair in page["comparisons"]] == list(combinations(range(4), 2))
    for pair in page["comparisons"]:
        first, second = right[pair["first"]], right[pair["second"]]
        assert pair["difference"] == pytest.approx(first.mean() - second.mean())
        assert pair["test"] == "t-test"  # single seeds get the variance of the models with several
        assert pair["pValue"] <= pair["corrected"]
        assert pair["significant"] == (pair["corrected"] < 0.05)


def test_tied_models_are_named_below_the_table(raw_folder: Path, tmp_path: Path) -> None:
    models = {"poor": 0.5, "cnn1": 2.0, "mlp": 2.0}
    write_small_run(raw_folder, tmp_path, models)
    html = render(small_source(tmp_path, list(models)))
    said = re.search('<p class="note" id="groups">(.*?)</p>', html)
    assert said
    accurate = sorted(["cnn1", "mlp"], key=lambda name: -correct_on_test(tmp_path, name).mean())
    assert re.sub("<.*?>", "", said[1]) == f"No significant difference within: {accurate[0]} and {accurate[1]}."
    ranks = {row[0]: row[2] for row in cells(html, "results")}
    assert ranks == {"poor": "3", "cnn1": "1–2", "mlp": "1–2"}


def test_the_variance_components_are_shown(data: Path, html: str) -> None:
    correct = [correct_on_test(data, name) for name in MODELS]
    variance = variance_components(correct, rank(correct))
    assert variance.seed is not None
    assert variance.repeatability_limit is not None
    assert variance.architecture is not None
    components = {"test images": variance.images, "seed": variance.seed, "architecture": variance.architecture}
    total = sum(components.values())
    assert cells(html, "variance") == [
        [name, f"{100 * one**0.5:.2f}", f"{100 * one / total:.1f} %"] for name, one in components.items()
    ]
    assert f"<b>{100 * variance.repeatability_limit:.2f} points</b>" in html
    chart = json.loads(Elements(html).texts["page-charts"])["seeds"]
    seeds = [row for rows in chart["datasets"].values() for row in rows if "points" in row]
    assert [(row["model"], row["seed"]) for row in seeds] == [
        ("cnn1", 0),
        ("cnn1", 1),
        ("cnn1", 2),
        ("mlp", 0),
        ("mlp", 1),
    ]
    for row in seeds:
        model = correct_on_test(data, row["model"])
        assert row["points"] == pytest.approx(100 * (model[row["seed"]].mean() - model.mean()), abs=1e-5)


def test_with_single_seeds_the_page_says_what_is_left_out(raw_folder: Path, tmp_path: Path) -> None:
    models = {"dense128": 2.0, "single_layer": 1.0}
    write_small_run(raw_folder, tmp_path, models)
    html = render(small_source(tmp_path, list(models)))
    assert "With a single seed, intervals and ranks do not include training variance." in html
    assert "Every model has a single seed, so seed variance cannot be estimated." in html
    assert [row[2] for row in cells(html, "variance")] == ["–"] * 3
    assert 'id="seeds"' not in html


def test_the_data_section_counts_images_and_pixels(html: str) -> None:
    rows = cells(html, "ranges")
    assert [row[:4] for row in rows] == [
        ["train", "480", "0", "255"],
        ["validation", "120", "0", "255"],
        ["test", "200", "0", "255"],
    ]
    assert [row[6:8] for row in rows] == [["0.000", "1.000"]] * 3


def test_duplicates_are_counted_and_left_out(source: Source, data: Path, html: str) -> None:
    rows = {row[0]: row for row in cells(html, "duplicates")}
    assert rows["across training and test"][1] == "1"  # test image 7 is training image 3
    repeated = set(source.duplicates.loc[source.duplicates["split_b"] == "test", "index_b"])
    assert 7 in repeated
    accuracies = {row[0]: row[1:3] for row in cells(html, "without-duplicates")}
    for result in source.results:
        right = correct_on_test(data, result.name)
        kept = [right[:, image] for image in range(200) if image not in repeated]
        assert accuracies[result.name] == [f"{100 * right.mean():.2f} %", f"{100 * np.mean(kept):.2f} %"]


def test_repeated_test_images_alone_leave_no_accuracy(source: Source) -> None:
    pairs = pd.DataFrame({"split_a": "train", "index_a": 0, "split_b": "test", "index_b": range(200), "rmse": 1.0})
    rows = cells(render(replace(source, duplicates=pairs)), "without-duplicates")
    assert [row[2:] for row in rows] == [["–", "–"]] * len(MODELS)


def test_label_issues_come_from_the_best_validation_model(html: str) -> None:
    assert re.search(r"with the probabilities of <b>cnn1</b>", html)
    assert re.search(r"<b>Validation</b>: \d+ label issues? in 120 images", html)
    assert re.search(r"<b>Test</b>: \d+ label issues? in 200 images", html)


def test_names_and_claims_are_escaped(data: Path, raw_folder: Path, tmp_path: Path) -> None:
    models = {HOSTILE: 2.0, "cnn1": 1.0}
    write_small_run(raw_folder, tmp_path, models)
    classes = [HOSTILE, "</script><script>alert(2)</script>", "\"'`${x}", *CLASSES[3:]]
    source = small_source(tmp_path, list(models), classes)
    claim = Published(article="<b>", claim=HOSTILE, accuracy=None)
    html = render(replace(source, published={"cnn1": claim}))
    elements = Elements(html).found
    assert not [tag for tag, _ in elements if tag == "img"]
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    assert [tag for tag, _ in elements].count("script") == 4
    assert "alert(2)</script>" not in html
    assert script_data(html)["classes"] == classes


def test_without_published_results_there_is_no_column(source: Source) -> None:
    html = render(replace(source, published={}))
    assert "published accuracy" not in html.lower()
    assert {len(row) for row in cells(html, "results")} == {9}


@pytest.mark.parametrize(
    ("background", "rule"), [("dark", None), ("light", "invert(calc(1 - var(--invert)))"), (None, "none")]
)
def test_pictures_are_inverted_to_suit_the_page(
    source: Source, background: Literal["dark", "light"] | None, rule: str | None
) -> None:
    html = render(replace(source, background=background))
    assert re.findall(r"\.picture { filter: (.*); }", html) == ([rule] if rule else [])


def test_pictures_of_images_in_colour_are_in_colour(source: Source) -> None:
    images = {
        file: np.repeat(grey, 3, axis=-1) // np.array([1, 2, 4], np.uint8) for file, grey in source.images.items()
    }
    splits = {name: Split(np.repeat(of.images, 3, axis=-1), of.labels) for name, of in source.dataset.splits.items()}
    datasets = {"standard": Dataset(splits, source.dataset.normalization)}
    html = render(replace(source, images=images, datasets=datasets, background=None))
    page = script_data(html)
    encoded = re.search(r"url\(.data:image/webp;base64,([^\"]+)", html)
    assert encoded
    sheet = np.asarray(Image.open(BytesIO(b64decode(encoded[1]))))
    first = images["test"][integers(page["numbers"], "<u4")[0]]
    np.testing.assert_allclose(sheet[:28, :28].astype(int), first, atol=255 / 31 / 2 + 1)
    assert "28 × 28 pixels in red, green and blue" in html


def test_predictions_of_other_images_are_refused(raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0})
    with np.load(tmp_path / "predictions/cnn1.npz") as archive:
        arrays = dict(archive)
    arrays["test_labels"] = arrays["test_labels"][::-1].copy()
    write_npz(tmp_path / "predictions/cnn1.npz", arrays)
    with pytest.raises(InputError, match=r"cnn1\.npz, test_labels: found other labels than in .*prepared\.npz"):
        small_source(tmp_path, ["cnn1"])


def test_duplicates_of_other_images_are_refused(raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0})
    (tmp_path / "duplicates.csv").write_text("split_a,index_a,split_b,index_b,rmse\ntrain,3,test,200,0.0\n")
    with pytest.raises(InputError, match=r"duplicates\.csv, index_b: found an image that is not in .*prepared\.npz"):
        small_source(tmp_path, ["cnn1"])


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("prepared.npz", "preprocess"),
        ("splits/standard.npz", "split@standard"),
        ("duplicates.csv", "duplicates"),
        ("dataset.json", "preprocess"),
    ],
)
def test_an_absent_file_is_named_with_its_stage(raw_folder: Path, tmp_path: Path, name: str, stage: str) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0})
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: file not found; run `dvc repro {stage}`"):
        small_source(tmp_path, ["cnn1"])


def test_the_templates_are_all_used() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {"index.html.j2", "page.css", *SCRIPTS}


def test_the_data_and_the_settings_are_named(source: Source, html: str) -> None:
    text = " ".join(re.sub("<.*?>", "", html).split())
    assert "600 training and 200 test images in 10 classes" in text
    assert f"SHA-256 of data/prepared.npz: {source.digest}…" in text
    assert "Split: standard." in text
    assert "Trained with jax on CPU:0 (Model T, 2 cores)." in text
    settings = dict(cells(html, "settings"))
    assert list(settings) == list(MODELS)
    assert "optimizer.learning_rate 0.001" in settings["mlp"]


def test_with_two_splits_the_data_are_those_of_the_best_model(raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0, "mlp": 4.0})
    everything, labels = np.arange(600), read_npz(tmp_path / "prepared.npz")["train_labels"]
    other = {"train": everything[60:], "validation": everything[:60]}
    write_npz(tmp_path / "splits/small.npz", other | {"offset": np.float32(0), "scale": np.float32(255)})
    path = tmp_path / "predictions/mlp.npz"
    arrays = read_npz(path)
    probabilities = np.eye(10, dtype=np.float32)[labels[None, :60]].repeat(2, axis=0)
    arrays |= {"validation_labels": labels[:60], "validation_probabilities": probabilities}
    write_npz(path, arrays)
    run = tmp_path / "runs/mlp.json"
    run.write_text(re.sub(r'"seed": \d,', '"seed": 0,', run.read_text(), count=1))
    configs = {"cnn1": CONFIG, "mlp": CONFIG.model_copy(update={"split": "small"})}
    html = render(small_source(tmp_path, ["cnn1", "mlp"], configs=configs))
    text = " ".join(re.sub("<.*?>", "", html).split())
    assert "divided in 2 ways (small, standard)" in text
    assert "those of the split small, used by mlp, the model with the best validation accuracy" in text
    assert [row[:2] for row in cells(html, "ranges")] == [["train", "540"], ["validation", "60"], ["test", "200"]]
    assert re.search(r"<b>Validation</b>: \d+ label issues? in 60 images", html)


def test_a_split_with_one_class_says_why_there_are_no_issues(source: Source) -> None:
    labels = np.zeros(200, np.uint8)
    results = [
        replace(
            result,
            predictions=dict(result.predictions)
            | {"test": SeedPredictions(labels, result.predictions["test"].probabilities)},
        )
        for result in source.results
    ]
    html = render(replace(source, results=results))
    assert "<b>Test</b>: not searched" in html
    assert "The method compares classes and could not be used on this split: all labels are equal." in html


def test_labels_of_models_of_one_size_do_not_overlap(source: Source) -> None:
    results = [
        replace(result, run=result.run.model_copy(update={"parameters": 1000})) for result in [source.results[0]] * 4
    ]
    table = results_table([replace(one, name=f"model{index}") for index, one in enumerate(results)], {})
    chart = accuracy_by_size(table).to_dict()
    rows = next(rows for rows in chart["datasets"].values() if len(rows) == 4 and "dy" in rows[0])
    offsets = sorted(row["dy"] for row in rows)
    assert np.diff(offsets).min() >= LABEL_HEIGHT - 0.2
    assert offsets[-1] < SIZE_HEIGHT
