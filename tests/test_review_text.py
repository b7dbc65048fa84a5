"""What a review says: the gate's comparison, the marks, and text that cannot break out."""

import re
from argparse import ArgumentTypeError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.io import InputError
from pipeline.review.comment import Review, format_failure, format_review
from pipeline.review.markdown import MAX_TEXT, as_code, format_table
from pipeline.review.scores import (
    Changes,
    MaxDrop,
    Score,
    Verdict,
    check_gate,
    choose_max_drop,
    compare,
    compare_candidate,
    compare_models,
    parse_max_drop,
)
from pipeline.review.settings import Column, Gate, Settings, load_review_settings
from pipeline.review.staleness import Reason

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = "T|<b onclick=x>@team `x` &#64;team ![i](https://example.org/i.png)\n\n# /approve"
COMMIT = "0123456789abcdef" * 3
Difference = dict[str, dict[str, dict[str, Any]]]
OWN = load_review_settings()  # this repository's
LOSS = Column(metric="loss", bound="loss_high", lower_is_better=True)


def judge(score: Score, allowed: MaxDrop) -> Verdict:
    assert OWN.gate
    return check_gate(score, allowed, OWN.gate, OWN.gate_column)


@pytest.mark.parametrize(
    ("here", "allowed", "passed", "compared"),
    [
        (
            0.92,
            "interval",
            True,
            "92.00 % (base: 92.50 %), not below 91.90 %, the lower end of the base's 95 % interval",
        ),
        (0.91, "interval", False, "91.00 % (base: 92.50 %), below 91.90 %, the lower end of the base's 95 % interval"),
        (0.919, "interval", True, "91.90 % (base: 92.50 %), not below 91.90 %"),
        (0.921, 0.5, True, "92.10 % (base: 92.50 %), not below 92.00 %, 0.5 points below the base"),
        (0.919, 0.5, False, "91.90 % (base: 92.50 %), below 92.00 %, 0.5 points below the base"),
        (0.924, 0.0, False, "below 92.50 %, 0 points below the base"),
        (0.1, "none", True, "The gate is off."),
        (None, "interval", False, "no number from 0 to 1 here: `test.f1_macro` in `metrics/candidate.json`."),
    ],
)
def test_the_gate_says_what_it_compares(here: float | None, allowed: MaxDrop, passed: bool, compared: str) -> None:
    verdict = judge(Score(base=0.925, here=here, bound=0.919), allowed)
    assert verdict.passed is passed
    assert compared in verdict.sentence


@pytest.mark.parametrize(
    ("here", "allowed", "passed", "compared"),
    [
        (0.31, "interval", True, "0.31 (base: 0.3), not above 0.32, the upper end of the base's 95 % interval."),
        (0.33, "interval", False, "0.33 (base: 0.3), above 0.32, the upper end of the base's 95 % interval."),
        (0.1, 0.0, True, "0.1 (base: 0.3), not above 0.3, 0 above the base."),
        (0.41, 0.1, False, "0.41 (base: 0.3), above 0.4, 0.1 above the base."),
        (None, 0.1, False, "no number here."),
    ],
)
def test_a_loss_may_not_rise(here: float | None, allowed: MaxDrop, passed: bool, compared: str) -> None:
    gate = Gate(file="a|b.json", metric="loss", max_drop="interval")
    verdict = check_gate(Score(0.3, here, 0.32, lower_is_better=True), allowed, gate, LOSS)
    assert verdict == Verdict(passed, f"`loss` in `a¦b.json` is {compared}")


@pytest.mark.parametrize("text", ["-1", "1e301", "nan", "much", ""])
def test_a_wrong_gate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected interval, none or a number that is not negative"):
        parse_max_drop(text)


@pytest.mark.parametrize(
    ("option", "settings", "error"),
    [
        (101.0, OWN, "found 101, expected percentage points from 0 to 100"),
        (0.5, Settings(), "found 0.5, expected it beside a gate in review.yaml, which has none"),
        (
            "interval",
            Settings(columns=[Column(metric="a")], gate=Gate(file="a", metric="a", max_drop=1)),
            "found interval, but review.yaml has no bound of the gate's metric; give a number",
        ),
    ],
)
def test_a_limit_that_the_gate_cannot_apply_is_refused(option: MaxDrop, settings: Settings, error: str) -> None:
    with pytest.raises(InputError, match=f"^--max-drop: {re.escape(error)}$"):
        choose_max_drop(option, settings)


def test_a_first_candidate_passes() -> None:
    assert judge(Score(base=None, here=0.1, bound=None), "interval").passed


def test_a_base_without_the_bound_is_no_way_through() -> None:
    verdict = judge(Score(base=0.9, here=0.1, bound=None), "interval")
    assert not verdict.passed
    assert "the base has no number `test.f1_macro_low`." in verdict.sentence


def test_scores_are_those_of_the_test_images() -> None:
    difference: Difference = {
        "metrics/candidate.json": {"model": {"old": "mlp", "new": "mlp"}},
        "metrics/mlp.json": {
            "test.accuracy": {"old": 0.9, "new": 0.8},
            "test.accuracy_low": {"old": 0.85, "new": 0.75},
            "test.f1_macro": {"old": 0.7, "new": 0.69},
            "test.f1_macro_low": {"old": 0.65, "new": 0.64},
            "validation.accuracy": {"old": 1, "new": 1},
        },
        "dvclive/metrics.json": {"test.accuracy": {"old": 1, "new": 1}},
    }
    (mlp,) = compare_models(difference, OWN)
    accuracy, f1_macro = mlp.scores
    assert (mlp.name, accuracy, f1_macro) == ("mlp", Score(0.9, 0.8, 0.85), Score(0.7, 0.69, 0.65))
    assert accuracy.is_beyond_bound
    assert not f1_macro.is_beyond_bound


def test_models_of_both_pipelines_are_compared() -> None:
    keys = {"test.accuracy": {"old": 0.9, "new": 0.8}}
    difference = {"metrics/mlp.json": keys, "frontier/metrics/wide.json": keys}
    assert [model.name for model in compare_models(difference, OWN)] == ["wide", "mlp"]


@pytest.mark.parametrize("value", [10**400, -(10**400), True, 1e300, 1.5, -0.1, "0.9", "high", [0.9], {"a": 1}, None])
def test_what_is_no_score_is_not_shown_as_one(value: Any) -> None:
    metrics: Difference = {
        f"metrics/{name}.json": {
            key: {"old": value, "new": value}
            for key in ("test.accuracy", "test.f1_macro", "test.f1_macro_low", "seeds")
        }
        | {"model": {"old": value, "new": value}}
        for name in ("candidate", "mlp")
    }
    assert OWN.gate
    candidate = compare_candidate(metrics, OWN.gate, OWN)
    (mlp,) = models = compare_models(metrics, OWN)
    assert mlp.scores == [Score(None, None, None)] * 2
    assert mlp.seeds == (None, None)
    verdict = judge(candidate.model.scores[1], "interval")
    assert not verdict.passed
    comparison = Changes(models, candidate, verdict, metrics)
    text = format_review(Review("main", COMMIT, comparison=comparison, settings=OWN))
    assert "| `mlp`, new, removed | – | – |  | – | – |  |" in text


def test_files_without_any_of_the_columns_are_left_out() -> None:
    metrics = {"a.json": {"loss": {"old": 1, "new": 2}}, "live/b.json": {"step": {"old": 1, "new": 2}}}
    named = [["a.json"], ["./a.json", "live/"], []]
    shown = [compare_models(metrics, Settings(files=files, columns=[LOSS])) for files in named]
    assert [[model.name for model in models] for models in shown] == [["a.json"], ["a.json", "b"], ["a.json"]]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_not_finite_are_no_score(value: float) -> None:
    metrics = {"metrics/mlp.json": {key: {"old": value, "new": 1} for key in ("test.accuracy", "loss")}}
    settings = Settings(columns=[*OWN.columns[:1], LOSS])
    (mlp,) = compare_models(metrics, settings)
    assert mlp.scores == [Score(None, 1, None), Score(None, 1, None, lower_is_better=True)]


def test_other_numbers_of_seeds_than_the_base_are_shown() -> None:
    score = {"test.f1_macro": {"old": 0.7, "new": 0.7}}
    metrics: Difference = {
        "metrics/cnn1.json": {"seeds": {"old": 1, "new": 5}, **score},
        "metrics/mlp.json": {"seeds": {"old": 2, "new": 2}, **score},
        "metrics/single.json": {"seeds": {"old": 3, "new": 1}, **score},
        "metrics/strided.json": {"seeds": {"new": 3}, **score},
    }
    compared = Changes(compare_models(metrics, OWN), None, judge(Score(0.7, 0.7, 0.6), "interval"), metrics)
    rows = format_review(Review("main", COMMIT, comparison=compared, settings=OWN)).split("\n")
    assert [row.split("|")[1].strip() for row in rows if row.startswith("| `")][:4] == [
        "`cnn1`, 5 seeds (base: 1)",
        "`mlp`",
        "`single`, 1 seed (base: 3)",
        "`strided`",
    ]


@given(st.text() | st.text(alphabet="`|\\&#;:/@<>[]()*_~!$%^x \n"))
def test_any_text_stays_one_cell_of_code(text: str) -> None:
    html = MARKDOWN.render(format_table(["A", "B"], [[as_code(text), "end"]]))
    cells = re.findall("<td[^>]*>(.*?)</td>", html)
    assert len(cells) == 2
    assert re.fullmatch("<code>[^<>]*</code>|–", cells[0])
    assert cells[1] == "end"


@given(st.text(alphabet="`|\\&#;:/@<>[]()*_~!$%^x \n\r"))
def test_text_of_a_branch_acts_nowhere_in_the_comment(text: str) -> None:
    params = {text: {text: {"old": [text], "new": text}}}
    name = text or "x"
    gate = Gate(file=name, metric=name, max_drop="interval", model=name)
    gated = Settings(accept=name, files=[name], columns=[Column(metric=name, bound=name)], gate=gate)
    stale = Review(text, COMMIT, params, {text: [Reason(text, "has changed")]}, [text], settings=gated)
    metrics: Difference = {
        name: {name: {"old": text, "new": 1, "diff": text}},
        f"{name}/a": {name: {"old": 1, "new": 2}},
    }
    ungated = Review(text, COMMIT, comparison=compare(metrics, Settings(), "none"))
    passed = Review(text, COMMIT, params, {}, [text], compare(metrics, gated, "interval"), settings=gated)
    for comment in (*map(format_review, (stale, ungated, passed)), format_failure(text, text)):
        html = MARKDOWN.render(comment)
        outside = re.sub("<code>[^<>]*</code>", "", html)
        assert not set("@#!$%^~&*") & set(re.sub("<[^>]*>|95 %", "", outside))
        assert set(re.findall(r"<(\w+)", outside)) <= {
            "h2",
            "p",
            "strong",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
            "ul",
            "li",
        }


def test_hostile_text_is_only_shown() -> None:
    params = {HOSTILE: {HOSTILE: {"old": [HOSTILE], "new": HOSTILE}}}
    html = MARKDOWN.render(format_review(Review(HOSTILE, COMMIT, params, {HOSTILE: [Reason(HOSTILE, "has changed")]})))
    assert not re.search("<(b|img|a|h1)[ >]", html)
    assert "@" not in re.sub("<code>.*?</code>", "", html)


def test_without_settings_every_changed_metric_is_listed() -> None:
    metrics = {
        "eval/metrics.json": {
            "avg_prec.test": {"old": 0.9, "new": 0.8, "diff": -0.1},
            "roc_auc.test": {"old": 0.95, "new": 0.95, "diff": 0.0},
        }
    }
    comment = format_review(Review("main", COMMIT, comparison=compare(metrics, Settings(), "none")))
    assert "**Passed.** The results are those of the code. There is no gate." in comment
    assert "dvc metrics diff: 1 row." in comment
    assert "| `eval/metrics.json` | `avg_prec.test` | 0.9 | 0.8 | -0.1 |" in comment
    assert "▼" not in comment, "without settings nothing is known to be worse"


def test_without_a_base_nothing_is_compared() -> None:
    text = format_review(Review("0" * 40, None))
    assert "There is no base to compare them with." in text
    assert "0000" not in text
    assert "dvc" not in text


def test_a_long_list_is_cut_with_its_length_said() -> None:
    text = format_table(["A"], [[as_code("x" * 200)]] * 2000)
    assert text.count("\n") < 2000
    assert "rows more." in text
    assert len(as_code("x" * 10_000)) < MAX_TEXT + 10
