"""The page in a real browser: Debian's Chromium, driven by Playwright."""

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from scipy.stats import binomtest

from pipeline.evaluation.metrics import per_class_table
from pipeline.evaluation.significance import compare, pooled_seed_variance
from pipeline.report.page.build import render
from pipeline.report.page.data import Source
from tests.helpers.browser import opened, serious_violations
from tests.helpers.small_run import (
    CLASSES,
    MODELS,
    best_on_test,
    correct_on_test,
    small_source,
    write_small_run,
)

SHIRT, TOP = CLASSES.index("Shirt"), CLASSES.index("T-shirt/top")


@pytest.fixture(scope="module")
def file(source: Source, data: Path) -> Path:
    (data / "index.html").write_text(render(source), encoding="utf-8")
    return data / "index.html"


@pytest.fixture(scope="module")
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """One page for all tests that choose what they look at."""
    yield from opened(browser, file)


@pytest.fixture
def fresh_page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file)


@pytest.fixture
def dark_page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file, "dark")


@pytest.fixture
def phone_page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file, width=360)


def cell(page: Page, actual: int, predicted: int) -> Locator:
    return page.locator(f"#confusion button[data-actual='{actual}'][data-predicted='{predicted}']")


def in_cell(data: Path, name: str, actual: int, predicted: int) -> list[int]:
    """Test images of a cell of the confusion matrix, the most confident mistake first."""
    labels, probabilities = best_on_test(data, name)
    found = np.flatnonzero((labels == actual) & (probabilities.argmax(axis=1) == predicted))
    return sorted(found.tolist(), key=lambda image: -probabilities[image, predicted])


def numbers(list_of_images: Locator) -> list[int]:
    return [int(number) for number in re.findall(r"№ (\d+)", list_of_images.inner_text())]


def show_all(page: Page, button: Locator) -> None:
    while button.is_visible():
        button.click()


def pixels(picture: Locator) -> npt.NDArray[np.int64]:
    """What the browser draws, brought back to 28 × 28."""
    drawn = Image.open(BytesIO(picture.screenshot())).convert("L").resize((28, 28), Image.Resampling.BOX)
    return np.asarray(drawn, dtype=np.int64)


def test_a_clicked_cell_shows_its_images(page: Page, data: Path) -> None:
    page.select_option("#model", label="single_layer")
    cell(page, SHIRT, TOP).click()
    expected = in_cell(data, "single_layer", SHIRT, TOP)
    assert expected
    expect(page.locator("#gallery-title")).to_contain_text(f"Shirt predicted as T-shirt/top: {len(expected)} image")
    assert numbers(page.locator("#cards")) == expected


def test_each_image_has_its_ten_probabilities(page: Page, data: Path) -> None:
    page.select_option("#model", label="single_layer")
    cell(page, SHIRT, TOP).click()
    _, probabilities = best_on_test(data, "single_layer")
    cards = page.locator("#cards > li")
    for place, image in enumerate(in_cell(data, "single_layer", SHIRT, TOP)):
        card = cards.nth(place)
        shown = [float(share.strip("< %")) / 100 for share in card.locator("b").all_inner_texts()]
        np.testing.assert_allclose(shown, probabilities[image], atol=0.011)
        expect(card.locator(".correct .name")).to_have_text("Shirt (actual)")
        expect(card.locator(".wrong .name")).to_have_text("T-shirt/top (predicted)")


def test_the_pictures_drawn_are_those_images(dark_page: Page, source: Source, data: Path) -> None:
    dark_page.select_option("#model", label="single_layer")
    cell(dark_page, SHIRT, TOP).click()
    pictures = dark_page.locator("#cards .picture")
    for place, image in enumerate(in_cell(data, "single_layer", SHIRT, TOP)):
        difference = np.abs(pixels(pictures.nth(place)) - source.images["test"][image, ..., 0])
        assert difference.mean() < 12  # rounded corners, 32 greys, and 72 pixels for 28


def test_in_the_light_pictures_are_dark_on_white(page: Page, source: Source, data: Path) -> None:
    page.select_option("#model", label="single_layer")
    cell(page, SHIRT, TOP).click()
    image = in_cell(data, "single_layer", SHIRT, TOP)[0]
    drawn = pixels(page.locator("#cards .picture").first)
    assert np.abs(255 - drawn - source.images["test"][image, ..., 0]).mean() < 12


def test_every_cell_counts_what_it_shows(page: Page, data: Path) -> None:
    page.select_option("#model", label="single_layer")
    cells = page.evaluate(
        """() => [...document.querySelectorAll("#confusion button")].map((cell) => {
          cell.click();
          while (!document.getElementById("more").hidden) document.getElementById("more").click();
          const numbers = [...document.querySelectorAll("#cards .number")];
          return { ...cell.dataset, count: cell.textContent, numbers: numbers.map((one) => one.textContent.slice(2)) };
        })"""
    )
    assert len(cells) == 90
    for found in cells:
        expected = in_cell(data, "single_layer", int(found["actual"]), int(found["predicted"]))
        assert [int(number) for number in found["numbers"]] == expected
        assert int(found["count"]) == len(expected)
    labels, probabilities = best_on_test(data, "single_layer")
    assert sum(len(found["numbers"]) for found in cells) == np.sum(probabilities.argmax(axis=1) != labels)


def test_the_matrix_works_from_the_keyboard(fresh_page: Page, data: Path) -> None:
    cell(fresh_page, 1, 0).click()
    fresh_page.focus("#model")
    fresh_page.keyboard.press("Tab")
    expect(cell(fresh_page, 1, 0)).to_be_focused()
    fresh_page.keyboard.press("ArrowRight")  # over the diagonal
    expect(cell(fresh_page, 1, 2)).to_be_focused()
    fresh_page.keyboard.press("ArrowDown")  # and again
    expect(cell(fresh_page, 3, 2)).to_be_focused()
    fresh_page.keyboard.press("ArrowUp")
    fresh_page.keyboard.press("ArrowLeft")
    fresh_page.keyboard.press("ArrowLeft")  # the edge
    expect(cell(fresh_page, 1, 0)).to_be_focused()
    fresh_page.keyboard.press("ArrowRight")
    fresh_page.keyboard.press("Enter")
    expect(cell(fresh_page, 1, 2)).to_have_attribute("aria-pressed", "true")
    expect(cell(fresh_page, 1, 0)).to_have_attribute("aria-pressed", "false")
    expect(fresh_page.locator("#gallery-title")).to_contain_text("Trouser predicted as Pullover")
    fresh_page.keyboard.press("ArrowRight")
    fresh_page.keyboard.press("Space")
    expect(fresh_page.locator("#gallery-title")).to_contain_text("Trouser predicted as Dress")
    assert numbers(fresh_page.locator("#cards")) == in_cell(data, "cnn1", 1, 3)[:12]


def test_another_model_keeps_the_cell_and_fills_the_matrix(page: Page, source: Source, data: Path) -> None:
    cell(page, SHIRT, TOP).click()
    for result in source.results:
        page.select_option("#model", label=result.name)
        texts = page.locator("#confusion tbody td").all_inner_texts()
        np.testing.assert_array_equal(np.array(texts, int).reshape(10, 10), result.confusion)
        assert numbers(page.locator("#cards")) == in_cell(data, result.name, SHIRT, TOP)[:12]


def test_a_choice_redraws_only_what_it_changes(fresh_page: Page) -> None:
    fresh_page.evaluate(
        """() => {
          window.changed = new Set();
          for (const id of ["models", "curves", "one", "two", "data"]) {
            const seen = () => window.changed.add(id);
            const everything = { subtree: true, childList: true, attributes: true, characterData: true };
            new MutationObserver(seen).observe(document.getElementById(id), everything);
          }
          window.button = document.querySelector("#confusion button");
        }"""
    )
    fresh_page.select_option("#model", label="mlp")
    fresh_page.wait_for_timeout(200)
    assert fresh_page.evaluate("[...window.changed]") == ["one"]
    assert fresh_page.evaluate("window.button.isConnected")
    fresh_page.evaluate("window.changed.clear()")
    fresh_page.select_option("#first", label="mlp")
    fresh_page.wait_for_timeout(200)
    assert fresh_page.evaluate("[...window.changed]") == ["two"]


def test_the_table_sorts_by_each_column_either_way(fresh_page: Page, source: Source) -> None:
    table = fresh_page.locator("#results")
    accuracy = {result.name: result.test_scores["accuracy"] for result in source.results}
    parameters = {result.name: result.run.parameters for result in source.results}

    def names() -> list[str]:
        return table.locator("tbody th").all_inner_texts()

    assert names() == sorted(MODELS, key=lambda name: -accuracy[name])
    expect(table.locator("thead th").nth(1)).to_have_attribute("aria-sort", "descending")
    table.get_by_role("button", name="Parameters").click()
    assert names() == sorted(MODELS, key=lambda name: -parameters[name])
    table.get_by_role("button", name="Parameters").press("Enter")
    assert names() == sorted(MODELS, key=lambda name: parameters[name])
    expect(table.locator("thead th").nth(6)).to_have_attribute("aria-sort", "ascending")
    assert table.locator("[aria-sort]").count() == 1
    table.get_by_role("button", name="Model").click()
    assert names() == sorted(MODELS)


def test_models_without_a_claim_stand_last_either_way(fresh_page: Page) -> None:
    claim = fresh_page.locator("#results").get_by_role("button", name="Published")
    for _ in range(2):
        claim.click()
        assert fresh_page.locator("#results tbody th").first.inner_text() == "cnn1"


def test_classes_have_their_scores_and_keep_the_order_chosen(page: Page, source: Source) -> None:
    page.locator("#per-class").get_by_role("button", name="F1").click()
    result = source.results[-1]
    page.select_option("#model", label=result.name)
    table = per_class_table(result.actual, result.predicted, CLASSES).sort_values("f1", ascending=False, kind="stable")
    rows = page.locator("#per-class tbody tr")
    shown = pd.DataFrame([rows.nth(place).locator("th, td").all_inner_texts() for place in range(10)])
    for column, score in enumerate(["precision", "recall", "f1"], start=1):
        assert shown[column].tolist() == [f"{100 * value:.2f} %" for value in table[score]]
    assert shown[4].tolist() == [str(images) for images in table["support"]]
    macro = page.locator("#per-class tfoot tr").first.locator("td").all_inner_texts()
    assert macro[2] == f"{100 * result.best_scores['f1_macro']:.2f} %"


def test_two_models_show_what_only_one_gets_right(page: Page, data: Path) -> None:
    page.select_option("#first", label="mlp")
    page.select_option("#second", label="cnn1")
    right = {}
    for name in ("mlp", "cnn1"):
        labels, probabilities = best_on_test(data, name)
        right[name] = set(np.flatnonzero(probabilities.argmax(axis=1) == labels).tolist())
    for place, (winner, loser) in {"only-first": ("mlp", "cnn1"), "only-second": ("cnn1", "mlp")}.items():
        images = page.locator(f"#{place}")
        show_all(page, images.locator("+ button"))
        assert set(numbers(images)) == right[winner] - right[loser]
        assert images.locator(".picture").count() == len(right[winner] - right[loser])
    bars = page.locator("#differences .mark-rect path")
    assert bars.count() == 10


def p_in_words(value: float) -> str:
    if value >= 0.001:
        return f"p = {value:.3f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"p = {mantissa} × 10{raised}"


def test_several_seeds_are_compared_either_way_round(page: Page, data: Path) -> None:
    correct = {name: correct_on_test(data, name) for name in MODELS}
    pooled = pooled_seed_variance(list(correct.values()))
    found = compare(correct["cnn1"], correct["mlp"], pooled)
    points = 100 * found.difference
    page.select_option("#first", label="mlp")
    page.select_option("#second", label="cnn1")
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text(f"mean accuracy of mlp (2 seeds) is {points:.2f} points lower than that of cnn1")
    expect(verdict).to_contain_text(f"T-test over seeds and images: {p_in_words(found.p_value)}, and p ")
    significant = re.compile(
        "corrected for 6 pairs: (cnn1 is significantly better|no significant difference) at the 5 %"
    )
    expect(verdict).to_contain_text(significant)
    expect(verdict).not_to_contain_text("is the mean of the models")
    page.select_option("#first", label="cnn1")
    page.select_option("#second", label="mlp")
    expect(verdict).to_contain_text(f"mean accuracy of cnn1 (3 seeds) is {points:.2f} points higher than that of mlp")
    page.select_option("#second", label="single_layer")
    expect(verdict).to_contain_text("The seed variance of single_layer is the mean of the models with several seeds.")
    expect(verdict).to_contain_text(p_in_words(compare(correct["cnn1"], correct["single_layer"], pooled).p_value))


def test_only_single_seeds_are_compared_by_mcnemars_test(browser: Browser, raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"dense128": 2.0, "single_layer": 1.0})
    source = small_source(tmp_path, ["dense128", "single_layer"])
    (tmp_path / "index.html").write_text(render(source), encoding="utf-8")
    first, second = (correct_on_test(tmp_path, name)[0] for name in ("dense128", "single_layer"))
    only = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    for page in opened(browser, tmp_path / "index.html"):
        verdict = page.locator("#verdict")
        expect(verdict).to_contain_text(f"{only[0]} test images classified correctly by dense128 only")
        expect(verdict).to_contain_text(f"{only[1]} by single_layer only")
        p_value = p_in_words(binomtest(only[0], sum(only)).pvalue)
        expect(verdict).to_contain_text(f"McNemar’s exact test: {p_value}, and p ")
        expect(verdict).to_contain_text("Training variance is not included: dense128 and single_layer")


def test_the_best_seed_is_named_where_there_are_several(page: Page, source: Source) -> None:
    for result in source.results:
        page.select_option("#model", label=result.name)
        several = len(result.correct)
        seed = f"best seed ({result.run.seed}) of {several}: " if several > 1 else ""
        accuracy = f"test accuracy {100 * np.mean(result.predicted == result.actual):.2f} %"
        expect(page.locator("#model-accuracy")).to_have_text(f"{seed}{accuracy}")


def test_a_model_against_itself_asks_for_another(page: Page) -> None:
    page.select_option("#first", label="mlp")
    page.select_option("#second", label="mlp")
    expect(page.locator("#verdict")).to_have_text("Both are mlp: select two models.")


def test_the_curves_of_any_models_lie_over_each_other(fresh_page: Page) -> None:
    lines = fresh_page.locator("#curves-chart .mark-line path")
    expect(lines).to_have_count(6)  # three models, training and validation
    colours = fresh_page.eval_on_selector_all(
        "#curves-chart .mark-line path", "all => all.map(one => one.getAttribute('stroke'))"
    )
    assert len(set(colours)) == 3
    fresh_page.get_by_role("checkbox", name="single_layer").check()
    expect(lines).to_have_count(8)
    fresh_page.get_by_role("checkbox", name="cnn1").uncheck()
    expect(lines).to_have_count(6)
    before = lines.first.get_attribute("d")
    fresh_page.get_by_role("radio", name="loss").check()
    expect(lines.first).not_to_have_attribute("d", before or "")


def open_details(page: Page) -> None:
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")


def test_the_page_is_accessible(fresh_page: Page) -> None:
    open_details(fresh_page)
    assert serious_violations(fresh_page) == []
    for name in MODELS:
        fresh_page.select_option("#model", label=name)
        assert serious_violations(fresh_page, "#one") == []  # a choice redraws nothing else


def test_the_dark_page_has_contrast(dark_page: Page) -> None:
    open_details(dark_page)
    assert serious_violations(dark_page, rule="color-contrast") == []


def test_targets_on_a_phone_are_large_enough(phone_page: Page) -> None:
    open_details(phone_page)
    assert serious_violations(phone_page, rule="target-size") == []


def test_the_dark_page_is_dark(page: Page, dark_page: Page) -> None:
    def ground(page: Page) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return int(re.findall(r"\d+", colour)[0])

    assert ground(page) > 200
    assert ground(dark_page) < 50


def test_a_phone_shows_the_whole_matrix(phone_page: Page) -> None:
    assert phone_page.evaluate("document.documentElement.scrollWidth") == 360
    box = cell(phone_page, 0, 9).bounding_box()
    assert box
    assert box["x"] + box["width"] <= 360
    assert min(box["width"], box["height"]) >= 24  # what WCAG 2.2 asks of a target


def test_a_phone_shows_that_tables_and_navigation_scroll(phone_page: Page) -> None:
    for selector in ("nav", "#models .scroll"):
        place = phone_page.locator(selector).first
        assert place.evaluate("element => element.scrollWidth > element.clientWidth")
        image = place.evaluate("element => getComputedStyle(element).backgroundImage")
        assert image.count("linear-gradient") == 4  # shadows at both edges, covered at the ends


def test_hostile_names_do_no_harm(browser: Browser, raw_folder: Path, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    models = {hostile: 1.0, "dense128": 0.5}
    write_small_run(raw_folder, tmp_path, models)
    classes = [hostile, "</script><script>alert(2)</script>", *CLASSES[2:]]
    (tmp_path / "index.html").write_text(render(small_source(tmp_path, list(models), classes)), encoding="utf-8")
    for page in opened(browser, tmp_path / "index.html"):  # which asserts that nothing spoke up
        for name in (hostile, "dense128"):
            page.select_option("#model", label=name)
        cell(page, 0, 1).click()
        expect(page.locator("#gallery-title")).to_contain_text(f"{classes[0]} predicted as {classes[1]}")
        page.locator("#differences .mark-rect path").first.hover()
        expect(page.locator("#vg-tooltip-element")).to_contain_text(hostile)
        assert page.locator("img").count() == 0


def test_one_model_without_mistakes_opens_quietly(browser: Browser, raw_folder: Path, tmp_path: Path) -> None:
    write_small_run(raw_folder, tmp_path, {"mlp": 50.0})
    source = replace(small_source(tmp_path, ["mlp"]), published={})
    (tmp_path / "index.html").write_text(render(source), encoding="utf-8")
    for page in opened(browser, tmp_path / "index.html"):
        cell(page, SHIRT, TOP).click()
        expect(page.locator("#gallery-title")).to_have_text("Shirt predicted as T-shirt/top: 0 images")
        expect(page.locator("#more")).to_be_hidden()
        expect(page.locator("#model-accuracy")).to_have_text("best seed (0) of 2: test accuracy 100.00 %")
