"""The test scores of each model on the base and here, from `dvc metrics diff`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Difference = Mapping[str, Mapping[str, Mapping[str, Any]]]  # by file, by key: "old" and "new"

CANDIDATE = "metrics/candidate.json"


@dataclass(frozen=True)
class Score:
    """One score, as a share of 1, on the base and here; None where it is not there.

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
        """Whether the score here lies below the base's interval."""
        return self.low is not None and self.here is not None and self.here < self.low


@dataclass(frozen=True)
class Compared:
    """A model's scores, and the number of seeds that they are means of, on the base and here; None if not known."""

    name: str
    seeds: tuple[float | None, float | None]
    accuracy: Score
    f1_macro: Score


@dataclass(frozen=True)
class Candidate:
    """The candidate's scores, and the names of the models that it is on the base and here."""

    base: str | None
    here: str | None
    scores: Compared


def compare_models(difference: Difference) -> list[Compared]:
    """Each model of the base or of here, by name."""
    return [_compared(path, keys) for path, keys in sorted(difference.items()) if path != CANDIDATE]


def compare_candidate(difference: Difference) -> Candidate:
    """The candidate of the base and the one here, which may be two models."""
    keys = difference.get(CANDIDATE, {})
    names = keys.get("model", {})
    return Candidate(names.get("old"), names.get("new"), _compared(CANDIDATE, keys))


def _compared(path: str, keys: Mapping[str, Mapping[str, Any]]) -> Compared:
    seeds = keys.get("seeds", {})
    numbers = _number(seeds.get("old")), _number(seeds.get("new"))
    return Compared(Path(path).stem, numbers, _score(keys, "accuracy"), _score(keys, "f1_macro"))


def _score(keys: Mapping[str, Mapping[str, Any]], name: str) -> Score:
    values, low = keys.get(f"test.{name}", {}), keys.get(f"test.{name}_low", {})
    return Score(_number(values.get("old")), _number(values.get("new")), _number(low.get("old")))


def _number(value: Any) -> float | None:
    """The value if it is one that can be compared: a branch may hold anything."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
