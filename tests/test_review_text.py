"""What a review says: the gate's comparison, the marks, and text that cannot break out."""

import re
from argparse import ArgumentTypeError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.review.comment import Comparison, comment
from pipeline.review.gate import Drop, allowed_drop, judge
from pipeline.review.markdown import LONGEST, code, table
from pipeline.review.scores import Score, compare_candidate, compare_models
from pipeline.review.staleness import Reason

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = "T|<b onclick=x>@team `x` ![i](https://example.org/i.png)\n\n# /approve"


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
def test_the_gate_says_what_it_compares(here: float | None, allowed: Drop, passed: bool, compared: str) -> None:
    verdict = judge(Score(base=0.925, here=here, low=0.919), allowed)
    assert verdict.passed is passed
    assert compared in verdict.sentence


@pytest.mark.parametrize("text", ["-1", "101", "nan", "much", ""])
def test_a_wrong_gate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected interval, none or percentage points from 0 to 100"):
        allowed_drop(text)


def test_a_first_candidate_passes() -> None:
    assert judge(Score(base=None, here=0.1, low=None), "interval").passed


def test_scores_are_those_of_the_test_images() -> None:
    difference: dict[str, dict[str, dict[str, Any]]] = {
        "metrics/candidate.json": {"model": {"old": "mlp", "new": "mlp"}},
        "metrics/mlp.json": {
            "test.accuracy": {"old": 0.9, "new": 0.8},
            "test.accuracy_low": {"old": 0.85, "new": 0.75},
            "test.f1_macro": {"old": 0.7, "new": 0.69},
            "test.f1_macro_low": {"old": 0.65, "new": 0.64},
            "train.accuracy": {"old": 1, "new": 1},
        },
    }
    (mlp,) = compare_models(difference)
    difference["metrics/mlp.json"]["test.accuracy"]["new"] = "high"
    assert compare_models(difference)[0].accuracy == Score(0.9, None, 0.85)
    assert (mlp.name, mlp.accuracy, mlp.f1_macro) == ("mlp", Score(0.9, 0.8, 0.85), Score(0.7, 0.69, 0.65))
    assert mlp.accuracy.is_below_interval
    assert not mlp.f1_macro.is_below_interval


def test_a_model_that_has_other_seeds_than_the_base_says_so() -> None:
    score = {"test.f1_macro": {"old": 0.7, "new": 0.7}}
    metrics: dict[str, dict[str, dict[str, Any]]] = {
        "metrics/cnn1.json": {"seeds": {"old": 1, "new": 5}, **score},
        "metrics/mlp.json": {"seeds": {"old": 2, "new": 2}, **score},
        "metrics/single.json": {"seeds": {"old": 3, "new": 1}, **score},
        "metrics/strided.json": {"seeds": {"new": 3}, **score},
    }
    compared = Comparison(
        compare_models(metrics), compare_candidate(metrics), judge(Score(0.7, 0.7, 0.6), "interval"), metrics, None
    )
    rows = comment("main", "0" * 40, {}, compared).split("\n")
    assert [row.split("|")[1].strip() for row in rows if row.startswith("| `")][:4] == [
        "`cnn1`, 5 seeds (base: 1)",
        "`mlp`",
        "`single`, 1 seed (base: 3)",
        "`strided`",
    ]


@given(st.text())
def test_any_text_stays_one_cell_of_code(text: str) -> None:
    html = MARKDOWN.render(table(["A", "B"], [[code(text), "end"]]))
    cells = re.findall("<td[^>]*>(.*?)</td>", html)
    assert len(cells) == 2
    assert re.fullmatch("<code>[^<>]*</code>", cells[0])
    assert cells[1] == "end"


def test_text_of_a_branch_acts_nowhere_in_the_comment() -> None:
    params = {HOSTILE: {HOSTILE: {"old": [HOSTILE], "new": HOSTILE}}}
    html = MARKDOWN.render(comment(HOSTILE, "0" * 40, params, {HOSTILE: [Reason(HOSTILE, "has changed")]}))
    assert "<b" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert "<h1" not in html
    assert "@" not in re.sub("<code>.*?</code>", "", html)


def test_a_long_list_is_cut_with_its_length_said() -> None:
    text = table(["A"], [[code(f"{number:200}")] for number in range(1000)], most=1000)
    assert text.count("\n") < 1000
    assert "rows more." in text
    assert len(code("x" * 10_000)) < LONGEST + 10
