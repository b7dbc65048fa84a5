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
from ruamel.yaml import YAML
from scipy.stats import binomtest

from pipeline.artifacts import write_npz
from pipeline.dataset.parts import Part
from pipeline.errors import InputError
from pipeline.evaluation.ranking import rank
from pipeline.evaluation.variance import divide_variance
from pipeline.params.schema import Claim
from pipeline.report.page.document import SCRIPTS, TEMPLATES, render
from pipeline.report.page.source import Source
from pipeline.report.page.sprites import sprite_sheet
from tests.small_run import CLASSES, MODELS, of_test, small_source, write_small_run

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


def test_only_the_pages_own_scripts_may_run_and_no_address_may_be_asked(html: str) -> None:
    (policy,) = (attributes["content"] for tag, attributes in Elements(html).found if "http-equiv" in attributes)
    assert policy
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    assert re.fullmatch(r"('sha256-\S{44}' ?){2}", directives["script-src"])


def test_equal_inputs_give_an_equal_page(source: Source, html: str) -> None:
    assert render(source) == html


def test_twelve_models_that_err_on_three_images_in_ten_and_together_on_all_stay_below_six_megabytes(
    source: Source, html: str
) -> None:
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
        assert row[3:6] == [str(len(result.right)), f1, f"{result.parameters:,}"]
        assert row[7] == "2 of 3"
    assert rows["cnn1"][8] == "91.6 % article C"
    assert rows["mlp"][8] == "–"
    assert "±" in rows["cnn1"][1]
    assert "±" not in rows["single_layer"][1]


@pytest.mark.parametrize("name", MODELS)
def test_every_mistake_is_there_the_most_confident_first(data: Path, html: str, name: str) -> None:
    page = script_data(html)
    (model,) = (model for model in page["models"] if model["name"] == name)
    labels, probabilities = of_test(data, name)
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


def right_of(data: Path, name: str) -> npt.NDArray[np.bool_]:
    """Which test images each seed gets right, (seeds, 200), straight from the archive."""
    with np.load(data / f"predictions/{name}.npz") as archive:
        return np.asarray(archive["test_probabilities"].argmax(axis=2) == archive["test_labels"])


def test_each_two_models_are_compared_over_their_seeds(data: Path, html: str) -> None:
    page = script_data(html)
    right = [right_of(data, name) for name in MODELS]
    assert [(pair["first"], pair["second"]) for pair in page["comparisons"]] == list(combinations(range(4), 2))
    for pair in page["comparisons"]:
        first, second = right[pair["first"]], right[pair["second"]]
        assert pair["difference"] == pytest.approx(first.mean() - second.mean())
        if len(first) == len(second) == 1:
            only = np.sum(first & ~second), np.sum(second & ~first)
            assert pair["pValue"] == pytest.approx(binomtest(only[0], sum(only)).pvalue)
        assert pair["pValue"] <= pair["corrected"]
        assert pair["toldApart"] == (pair["corrected"] < 0.05)


def test_models_that_cannot_be_told_apart_are_named_below_the_table(raw_folder: Path, tmp_path: Path) -> None:
    models = {"poor": 0.5, "cnn1": 2.0, "mlp": 2.0}
    write_small_run(raw_folder, tmp_path, models)
    html = render(small_source(tmp_path, list(models)))
    said = re.search('<p class="note" id="groups">(.*?)</p>', html)
    assert said
    accurate = sorted(["cnn1", "mlp"], key=lambda name: -right_of(tmp_path, name).mean())
    assert re.sub("<.*?>", "", said[1]) == f"Not told apart: {accurate[0]} and {accurate[1]}."
    ranks = {row[0]: row[2] for row in cells(html, "results")}
    assert ranks == {"poor": "3", "cnn1": "1–2", "mlp": "1–2"}


def test_the_seeds_share_of_the_variance_is_told(data: Path, html: str) -> None:
    right = [right_of(data, name) for name in MODELS]
    variance = divide_variance(right, rank(right))
    assert variance.seed is not None
    assert variance.seed_reach is not None
    assert variance.architecture is not None
    parts = {"test images drawn": variance.images, "seed": variance.seed, "architecture": variance.architecture}
    total = sum(parts.values())
    assert cells(html, "variance") == [
        [name, f"{100 * part**0.5:.2f}", f"{100 * part / total:.1f} %"] for name, part in parts.items()
    ]
    assert f"<b>{100 * variance.seed_reach:.2f} points</b>" in html
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
        model = right_of(data, row["model"])
        assert row["points"] == pytest.approx(100 * (model[row["seed"]].mean() - model.mean()), abs=1e-5)


def test_where_each_model_has_one_seed_the_page_says_that_the_chance_of_training_is_left_out(
    raw_folder: Path, tmp_path: Path
) -> None:
    models = {"dense128": 2.0, "single_layer": 1.0}
    write_small_run(raw_folder, tmp_path, models)
    html = render(small_source(tmp_path, list(models)))
    assert "those of a model with one seed leave out the chance of training" in html
    assert "Each model has one seed, so this is not known" in html
    assert [row[2] for row in cells(html, "variance")] == ["–"] * 3
    assert 'id="seeds"' not in html


def test_the_data_section_counts_images_and_names_the_pixels_before_and_after(html: str) -> None:
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
    repeated = set(source.duplicates.loc[source.duplicates["second_part"] == "test", "second"])
    assert 7 in repeated
    accuracies = {row[0]: row[1:3] for row in cells(html, "without-duplicates")}
    for result in source.results:
        right = right_of(data, result.name)
        kept = [right[:, image] for image in range(200) if image not in repeated]
        assert accuracies[result.name] == [f"{100 * right.mean():.2f} %", f"{100 * np.mean(kept):.2f} %"]


def test_where_all_test_images_are_repeated_there_is_no_accuracy_without_them(source: Source) -> None:
    pairs = pd.DataFrame(
        {"first_part": "train", "first": 0, "second_part": "test", "second": range(200), "distance": 1.0}
    )
    rows = cells(render(replace(source, duplicates=pairs)), "without-duplicates")
    assert [row[2:] for row in rows] == [["–", "–"]] * len(MODELS)


def test_doubtful_labels_come_from_the_model_with_the_best_validation_accuracy(html: str) -> None:
    assert re.search(r"on probabilities of <b>cnn1</b>", html)
    assert re.search(r"<b>Validation</b>: \d+ of 120 labels doubtful", html)
    assert re.search(r"<b>Test</b>: \d+ of 200 labels doubtful", html)


def test_names_and_claims_are_text_whatever_is_in_them(data: Path, raw_folder: Path, tmp_path: Path) -> None:
    models = {HOSTILE: 2.0, "cnn1": 1.0}
    write_small_run(raw_folder, tmp_path, models)
    classes = [HOSTILE, "</script><script>alert(2)</script>", "\"'`${x}", *CLASSES[3:]]
    source = small_source(tmp_path, list(models), classes)
    claim = Claim(article="<b>", claim=HOSTILE, accuracy=None)
    html = render(replace(source, claims={"cnn1": claim}))
    elements = Elements(html).found
    assert not [tag for tag, _ in elements if tag == "img"]
    assert not [attributes for _, attributes in elements if any(name.startswith("on") for name in attributes)]
    assert [tag for tag, _ in elements].count("script") == 4
    assert "alert(2)</script>" not in html
    assert script_data(html)["classes"] == classes


def test_without_claims_there_is_no_column_for_them(source: Source) -> None:
    html = render(replace(source, claims={}))
    assert "source’s claim" not in html.lower()
    assert {len(row) for row in cells(html, "results")} == {8}


@pytest.mark.parametrize(
    ("background", "rule"), [("dark", None), ("light", "invert(calc(1 - var(--invert)))"), (None, "none")]
)
def test_pictures_are_inverted_to_suit_the_pages_ground_where_the_images_have_a_background(
    source: Source, background: Literal["dark", "light"] | None, rule: str | None
) -> None:
    html = render(replace(source, background=background))
    assert re.findall(r"\.picture { filter: (.*); }", html) == ([rule] if rule else [])


def test_pictures_of_images_in_colour_are_in_colour(source: Source) -> None:
    images = {
        part: np.repeat(grey, 3, axis=-1) // np.array([1, 2, 4], np.uint8) for part, grey in source.images.items()
    }
    parts = {name: Part(np.repeat(part.images, 3, axis=-1), part.labels) for name, part in source.parts.items()}
    html = render(replace(source, images=images, parts=parts, background=None))
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
    with pytest.raises(InputError, match=r"cnn1\.npz, test_labels: found others than in .*prepared\.npz"):
        small_source(tmp_path, ["cnn1"])


def test_duplicates_of_other_images_are_refused(raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0})
    (tmp_path / "duplicates.csv").write_text("first_part,first,second_part,second,distance\ntrain,3,test,200,0.0\n")
    with pytest.raises(InputError, match=r"duplicates\.csv, second: found an image that is not in .*prepared\.npz"):
        small_source(tmp_path, ["cnn1"])


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("prepared.npz", "preprocess"),
        ("split.npz", "split"),
        ("duplicates.csv", "duplicates"),
        ("dataset.json", "preprocess"),
    ],
)
def test_an_absent_file_is_named_with_its_stage(raw_folder: Path, tmp_path: Path, name: str, stage: str) -> None:
    write_small_run(raw_folder, tmp_path, {"cnn1": 2.0})
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: found no such file; `dvc repro {stage}` makes it"):
        small_source(tmp_path, ["cnn1"])


def test_the_report_declares_the_files_of_the_page_and_uses_each() -> None:
    stages = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"]
    there = {path.name for path in TEMPLATES.iterdir()}
    assert there == {"index.html.j2", "page.css", *SCRIPTS}
    declared = {
        Path(path).name for path in stages["report"]["deps"] if path.startswith("pipeline/report/page/templates/")
    }
    assert declared == there
