"""Compare test scores with those of the base, and decide whether the candidate may be merged."""

import math
from argparse import ArgumentTypeError
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Difference = Mapping[str, Mapping[str, Mapping[str, Any]]]  # of `dvc metrics diff`: by file, by key, "old" and "new"
MaxDrop = float | Literal["interval", "none"]

CANDIDATE = "metrics/candidate.json"
MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class Score:
    """One score from 0 to 1 on the base and here; None where there is none.

    `low` is the lower end of the base's 95 % interval.
    """

    base: float | None
    here: float | None
    low: float | None

    @property
    def change(self) -> float:
        """Here less base; NaN where one is missing."""
        return math.nan if self.base is None or self.here is None else self.here - self.base

    @property
    def is_below_interval(self) -> bool:
        """True if the score here lies below the base's interval."""
        return self.low is not None and self.here is not None and self.here < self.low


@dataclass(frozen=True)
class ModelScores:
    """A model's mean scores on test images and its number of seeds, on the base and here."""

    name: str
    seeds: tuple[int | None, int | None]
    accuracy: Score
    f1_macro: Score


@dataclass(frozen=True)
class Candidate:
    """The candidate's scores and the name of the model that it is, on the base and here."""

    base: str | None
    here: str | None
    scores: ModelScores


@dataclass(frozen=True)
class Verdict:
    """The decision of the gate on a branch, and a sentence that explains it."""

    passed: bool
    sentence: str


def compare_models(difference: Difference, folders: Collection[str] = ("metrics",)) -> list[ModelScores]:
    """Return the scores of each model that has metrics in one of these folders, on the base or here."""
    return [
        _model_scores(path, keys)
        for path, keys in sorted(difference.items())
        if path != CANDIDATE and str(Path(path).parent) in folders
    ]


def compare_candidate(difference: Difference) -> Candidate:
    """Return the scores of the base's candidate and of the one here, which may be another model."""
    keys = difference.get(CANDIDATE, {})
    base, here = (keys.get("model", {}).get(side) for side in ("old", "new"))
    return Candidate(base and str(base), here and str(here), _model_scores(CANDIDATE, keys))


def parse_max_drop(text: str) -> MaxDrop:
    """Parse the option `--max-drop`: "interval", "none" or percentage points.

    Raises ArgumentTypeError for anything else.
    """
    if text in ("interval", "none"):
        return text  # type: ignore[return-value]  # mypy does not narrow to the literals
    try:
        points = float(text)
    except ValueError:
        points = -1
    if not 0 <= points <= 100:
        raise ArgumentTypeError(f"found {text!r}, expected interval, none or percentage points from 0 to 100")
    return points


def check_gate(f1: Score, allowed: MaxDrop) -> Verdict:
    """Compare the candidate's macro F1 on the test images with the lowest that is allowed.

    "interval" allows what lies within the base's 95 % interval; a number allows a drop of as many percentage points;
    "none" allows all.
    """
    if allowed == "none":
        return Verdict(True, "The gate is off.")
    if f1.here is None:
        return Verdict(False, "The candidate has no macro F1 from 0 to 1 on the test images here.")
    if f1.base is None or f1.low is None:
        return Verdict(True, "The base has no candidate whose macro F1 and interval this one could be compared with.")
    if allowed == "interval":
        lowest, why = f1.low, "the lower end of the base's 95 % interval"
    else:
        lowest, why = f1.base - allowed / 100, f"{allowed:g} points below the base"
    passed = f1.here >= lowest
    return Verdict(
        passed,
        f"The candidate's macro F1 on the test images is {100 * f1.here:.2f} % (base: {100 * f1.base:.2f} %), "
        f"{'not below' if passed else 'below'} {100 * lowest:.2f} %, {why}.",
    )


def _model_scores(path: str, keys: Mapping[str, Mapping[str, Any]]) -> ModelScores:
    base, here = (_seeds(keys.get("seeds", {}).get(side)) for side in ("old", "new"))
    return ModelScores(Path(path).stem, (base, here), _score(keys, "accuracy"), _score(keys, "f1_macro"))


def _score(keys: Mapping[str, Mapping[str, Any]], name: str) -> Score:
    values, low = keys.get(f"test.{name}", {}), keys.get(f"test.{name}_low", {})
    return Score(_share(values.get("old")), _share(values.get("new")), _share(low.get("old")))


def _share(value: Any) -> float | None:
    """Return the value if it is a number from 0 to 1: a branch may hold anything."""
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None


def _seeds(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= MOST_SEEDS else None
