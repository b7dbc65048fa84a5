"""Compare metrics with those of the base, and decide whether the branch may be merged."""

import math
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.io import InputError
from pipeline.review.markdown import as_code
from pipeline.review.settings import MAX_NUMBER, SETTINGS, Column, Gate, Settings

Metrics = Mapping[str, Mapping[str, Any]]  # of one file: by key, "old" and "new"
Difference = Mapping[str, Metrics]  # of `dvc metrics diff`: by file
MaxDrop = float | Literal["interval", "none"]

MAX_SEEDS = 1_000_000


@dataclass(frozen=True)
class Score:
    """One metric on the base and here; None where there is none.

    `bound` is the worse end of the base's 95 % interval.
    """

    base: float | None
    here: float | None
    bound: float | None
    lower_is_better: bool = False

    @property
    def change(self) -> float:
        """Here less base; NaN where one is missing."""
        return math.nan if self.base is None or self.here is None else self.here - self.base

    @property
    def is_worse(self) -> bool:
        """True if the score here is worse than the base's."""
        return self.change > 0 if self.lower_is_better else self.change < 0

    @property
    def is_beyond_bound(self) -> bool:
        """True if the score here is worse than the whole of the base's interval."""
        return self.bound is not None and self.here is not None and not self.reaches(self.bound)

    def reaches(self, limit: float) -> bool:
        """Return whether the score here is as good as `limit`."""
        return self.here is not None and (self.here <= limit if self.lower_is_better else self.here >= limit)


@dataclass(frozen=True)
class ModelScores:
    """The scores of one metrics file, in the order of the columns, and its number of seeds, on the base and here."""

    name: str
    seeds: tuple[int | None, int | None]
    scores: Sequence[Score]

    @property
    def is_new(self) -> bool:
        """True if the base has none of the scores."""
        return all(score.base is None for score in self.scores)

    @property
    def is_removed(self) -> bool:
        """True if there are none of the scores here."""
        return all(score.here is None for score in self.scores)


@dataclass(frozen=True)
class Candidate:
    """The scores of the gate's file and the name of the model that it copies, on the base and here."""

    base: str | None
    here: str | None
    model: ModelScores


@dataclass(frozen=True)
class Verdict:
    """The decision of the gate on a branch, and a sentence that explains it."""

    passed: bool
    sentence: str


@dataclass(frozen=True)
class Changes:
    """The changes of a branch in the results. `candidate` is None without a gate."""

    models: Sequence[ModelScores]
    candidate: Candidate | None
    verdict: Verdict
    metrics: Difference


def compare(metrics: Difference, settings: Settings, max_drop: MaxDrop) -> Changes:
    """Compare metrics with those of the base, and check the gate.

    Args:
        metrics: The output of `dvc metrics diff`.
        settings: What is compared.
        max_drop: How much worse the gate's metric may become.

    Returns:
        The scores of all models and of the candidate, and the gate's verdict.
    """
    models = compare_models(metrics, settings)
    if settings.gate is None:
        return Changes(models, None, Verdict(True, "The results are those of the code. There is no gate."), metrics)
    candidate, column = compare_candidate(metrics, settings.gate, settings), settings.gate_column
    score = candidate.model.scores[settings.columns.index(column)]
    return Changes(models, candidate, check_gate(score, max_drop, settings.gate, column), metrics)


def compare_models(difference: Difference, settings: Settings) -> list[ModelScores]:
    """Return the scores of each metrics file that the settings name, on the base or here, less a candidate's copy."""
    copy = settings.gate.file if settings.gate and settings.gate.model else None
    models = [
        _model_scores(path, keys, settings)
        for path, keys in sorted(difference.items())
        if path != copy and (not settings.files or path in settings.files or str(Path(path).parent) in settings.files)
    ]
    return [model for model in models if settings.files or not (model.is_new and model.is_removed)]


def compare_candidate(difference: Difference, gate: Gate, settings: Settings) -> Candidate:
    """Compare the base's candidate with the one here, which may be another model.

    Args:
        difference: The output of `dvc metrics diff`.
        gate: The gate, which names the candidate's metrics file.
        settings: What is compared.

    Returns:
        The candidate's scores, and its name on the base and here.
    """
    keys = difference.get(gate.file, {})
    base, here = (keys.get(gate.model or "", {}).get(side) for side in ("old", "new"))
    return Candidate(base and str(base), here and str(here), _model_scores(gate.file, keys, settings))


def parse_max_drop(text: str) -> MaxDrop:
    """Parse the option `--max-drop`: "interval", "none" or a number.

    Raises ArgumentTypeError for anything else.
    """
    if text in ("interval", "none"):
        return text  # type: ignore[return-value]  # mypy does not narrow to the literals
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= MAX_NUMBER:
        raise ArgumentTypeError(f"found {text!r}, expected interval, none or a number that is not negative")
    return number


def choose_max_drop(option: MaxDrop | None, settings: Settings) -> MaxDrop:
    """Return how much worse the gate's metric may become: by the option if it was given, else by the settings.

    Raises InputError for an option that the gate cannot apply.
    """
    if settings.gate is None:
        if option not in (None, "none"):
            raise InputError(f"--max-drop: found {option}, expected it beside a gate in {SETTINGS}, which has none")
        return "none"
    if option is None:
        return settings.gate.max_drop
    if option == "interval" and settings.gate_column.bound is None:
        raise InputError(f"--max-drop: found interval, but {SETTINGS} has no bound of the gate's metric; give a number")
    if settings.gate_column.percent and isinstance(option, float) and option > 100:
        raise InputError(f"--max-drop: found {option:g}, expected percentage points from 0 to 100")
    return option


def check_gate(score: Score, allowed: MaxDrop, gate: Gate, column: Column) -> Verdict:
    """Compare the gate's metric with the worst value that is allowed.

    Args:
        score: The metric on the base and here.
        allowed: "interval" allows what lies within the base's 95 % interval; a number allows as many percentage points,
            or so much in the metric's own unit; "none" allows all.
        gate: The gate.
        column: The column of the gate's metric.

    Returns:
        Whether it passes, and what was compared.
    """
    if allowed == "none":
        return Verdict(True, "The gate is off.")
    title = gate.name or gate.place
    if score.here is None:
        number, place = "number from 0 to 1" if column.percent else "number", f": {gate.place}" if gate.name else ""
        return Verdict(False, f"{title} is no {number} here{place}.")
    if score.base is None:
        return Verdict(True, f"{title} has nothing on the base that it could be compared with.")
    limit = _limit(score.base, score.bound, allowed, column)
    if limit is None:
        bound = as_code(column.bound or "")
        return Verdict(False, f"{title} has no limit: the base has no number {bound}. `--max-drop` may give one.")
    if allowed == "interval":
        why = f"the {'upper' if column.lower_is_better else 'lower'} end of the base's 95 % interval"
    else:
        why = f"{allowed:g}{' points' if column.percent else ''} {column.worse} the base"
    passed = score.reaches(limit)
    here, base, worst = (format_score(value, column) for value in (score.here, score.base, limit))
    return Verdict(
        passed, f"{title} is {here} (base: {base}), {'not ' if passed else ''}{column.worse} {worst}, {why}."
    )


def format_score(value: float | None, column: Column) -> str:
    """Return the value as the table and the gate show it."""
    if value is None:
        return "–"
    return f"{100 * value:.2f} %" if column.percent else f"{value:.5g}"


def _limit(base: float, bound: float | None, allowed: MaxDrop, column: Column) -> float | None:
    if isinstance(allowed, str):
        return bound
    drop = allowed / 100 if column.percent else allowed
    return base + drop if column.lower_is_better else base - drop


def _model_scores(path: str, metrics: Metrics, settings: Settings) -> ModelScores:
    name = Path(path).stem if str(Path(path).parent) in settings.files else path
    base, here = (_seeds(metrics.get(settings.seeds or "", {}).get(side)) for side in ("old", "new"))
    return ModelScores(name, (base, here), [_score(metrics, column) for column in settings.columns])


def _score(metrics: Metrics, column: Column) -> Score:
    values, bounds = metrics.get(column.metric, {}), metrics.get(column.bound or "", {})
    base, here, bound = (_number(value, column) for value in (values.get("old"), values.get("new"), bounds.get("old")))
    return Score(base, here, bound, column.lower_is_better)


def _number(value: Any, column: Column) -> float | None:
    """Return the value if it is a finite number, from 0 to 1 for a percentage: a branch may hold anything."""
    lowest, highest = (0, 1) if column.percent else (-MAX_NUMBER, MAX_NUMBER)
    return float(value) if type(value) in (int, float) and lowest <= value <= highest else None


def _seeds(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= MAX_SEEDS else None
