"""What a review says: the gate's comparison, the marks, and text that cannot break out."""

import re
from argparse import ArgumentTypeError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.review.comment import LONGEST, Comparison, Review, as_code, format_failure, format_review, format_table
from pipeline.review.scores import MaxDrop, Score, check_gate, compare_candidate, compare_models, parse_max_drop
from pipeline.review.staleness import Reason

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = "T|<b onclick=x>@team `x` &#64;team ![i](https://example.org/i.png)\n\n# /approve"
COMMIT = "0123456789abcdef" * 3
Difference = dict[str, dict[str, dict[str, Any]]]


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
        (None, "interval", False, "no macro F1"),
    ],
)
def test_the_gate_says_what_it_compares(here: float | None, allowed: MaxDrop, passed: bool, compared: str) -> None:
    verdict = check_gate(Score(base=0.925, here=here, low=0.919), allowed)
    assert verdict.passed is passed
    assert compared in verdict.sentence


@pytest.mark.parametrize("text", ["-1", "101", "nan", "much", ""])
def test_a_wrong_gate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected interval, none or percentage points from 0 to 100"):
        parse_max_drop(text)


def test_a_first_candidate_passes() -> None:
    assert check_gate(Score(base=None, here=0.1, low=None), "interval").passed


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
    (mlp,) = compare_models(difference)
    assert (mlp.name, mlp.accuracy, mlp.f1_macro) == ("mlp", Score(0.9, 0.8, 0.85), Score(0.7, 0.69, 0.65))
    assert mlp.accuracy.is_below_interval
    assert not mlp.f1_macro.is_below_interval


def test_models_of_both_pipelines_are_compared() -> None:
    keys = {"test.accuracy": {"old": 0.9, "new": 0.8}}
    difference = {"metrics/mlp.json": keys, "frontier/metrics/wide.json": keys}
    assert [model.name for model in compare_models(difference, ("metrics", "frontier/metrics"))] == ["wide", "mlp"]


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
    candidate = compare_candidate(metrics)
    (mlp,) = models = compare_models(metrics)
    assert mlp.accuracy == mlp.f1_macro == Score(None, None, None)
    assert mlp.seeds == (None, None)
    verdict = check_gate(candidate.scores.f1_macro, "interval")
    assert not verdict.passed
    text = format_review(Review("main", COMMIT, comparison=Comparison(models, candidate, verdict, metrics)))
    assert "| `mlp`, new, removed | – | – |  | – | – |  |" in text


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_not_finite_are_no_score(value: float) -> None:
    (mlp,) = compare_models({"metrics/mlp.json": {"test.accuracy": {"old": value, "new": 1}}})
    assert mlp.accuracy == Score(None, 1, None)


def test_other_numbers_of_seeds_than_the_base_are_shown() -> None:
    score = {"test.f1_macro": {"old": 0.7, "new": 0.7}}
    metrics: Difference = {
        "metrics/cnn1.json": {"seeds": {"old": 1, "new": 5}, **score},
        "metrics/mlp.json": {"seeds": {"old": 2, "new": 2}, **score},
        "metrics/single.json": {"seeds": {"old": 3, "new": 1}, **score},
        "metrics/strided.json": {"seeds": {"new": 3}, **score},
    }
    verdict = check_gate(Score(0.7, 0.7, 0.6), "interval")
    compared = Comparison(compare_models(metrics), compare_candidate(metrics), verdict, metrics)
    rows = format_review(Review("main", COMMIT, comparison=compared)).split("\n")
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
    stale = Review(text, COMMIT, params, {text: [Reason(text, "has changed")]}, [text])
    for comment in (format_review(stale), format_failure(text, text)):
        html = MARKDOWN.render(comment)
        outside = re.sub("<code>[^<>]*</code>", "", html)
        assert not set("@#!$%^~&*") & set(re.sub("<[^>]*>", "", outside))
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


def test_without_a_base_nothing_is_compared() -> None:
    text = format_review(Review("0" * 40, None))
    assert "There is no base to compare them with." in text
    assert "0000" not in text
    assert "dvc" not in text


def test_a_long_list_is_cut_with_its_length_said() -> None:
    text = format_table(["A"], [[as_code("x" * 200)]] * 2000)
    assert text.count("\n") < 2000
    assert "rows more." in text
    assert len(as_code("x" * 10_000)) < LONGEST + 10
