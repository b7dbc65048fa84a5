"""The review as a comment in Markdown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.review.gate import Verdict
from pipeline.review.markdown import code, table
from pipeline.review.outputs import Outputs
from pipeline.review.scores import Candidate, Compared, Difference, Score
from pipeline.review.staleness import Reason

STALE = (
    "These stages' results are not of the code and the parameters beside them. "
    "Run `dvc repro`, then commit `dvc.lock`, `metrics/` and `reports/`."
)
LEGEND = "▼ is worse than the base, ▼▼ below the base's 95 % interval. Test images; changes are percentage points."


@dataclass(frozen=True)
class Comparison:
    """What the branch changes in the results."""

    models: Sequence[Compared]
    candidate: Candidate
    verdict: Verdict
    metrics: Difference
    outputs: Outputs | None


def comment(base: str, commit: str, params: Difference, results: Mapping[str, Sequence[Reason]] | Comparison) -> str:
    """The whole comment: stale stages if there are any, else the comparison; then the parameters that changed."""
    body = _comparison(results) if isinstance(results, Comparison) else _stale(results)
    return "\n\n".join([f"## Results against {code(base)} ({commit[:10]})", *body, *_params(params)]) + "\n"


def no_comment(base: str, reasons: str) -> str:
    """What stands in its place where no review could be made."""
    lines = [f"- {code(reason)}" for reason in reasons.splitlines()]
    return "\n".join([f"## Results against {code(base)}", "", "**Not reviewed.**", "", *lines]) + "\n"


def _stale(stages: Mapping[str, Sequence[Reason]]) -> list[str]:
    rows = [(code(stage), f"{code(why.subject)} {why.state}") for stage, reasons in stages.items() for why in reasons]
    return [f"**Refused: stale results.** {STALE}", table(["Stage", "Because"], rows)]


def _comparison(comparison: Comparison) -> list[str]:
    verdict, candidate = comparison.verdict, comparison.candidate
    header = ["Model", "Accuracy: base", "here", "change", "Macro F1: base", "here", "change"]
    rows = [(_model(model, candidate), *_scores(model)) for model in comparison.models]
    if candidate.base and candidate.here and candidate.base != candidate.here:
        rows.insert(0, (f"candidate: {code(candidate.base)} to {code(candidate.here)}", *_scores(candidate.scores)))
    parts = [
        f"**{'Passed' if verdict.passed else 'Failed'}.** {verdict.sentence}",
        table(header, rows, numbers=6),
        LEGEND,
    ]
    if comparison.outputs:
        parts.append(_outputs(comparison.outputs))
    return [*parts, *_metrics(comparison.metrics)]


def _model(model: Compared, candidate: Candidate) -> str:
    notes = {
        "candidate": model.name == candidate.here,
        "new": model.f1_macro.base is None,
        "removed": model.f1_macro.here is None,
    }
    base, here = model.seeds
    seeds = [f"{here:g} {'seed' if here == 1 else 'seeds'} (base: {base:g})"] if base and here and base != here else []
    return ", ".join([code(model.name), *(note for note, holds in notes.items() if holds), *seeds])


def _scores(model: Compared) -> tuple[str, ...]:
    return *_cells(model.accuracy), *_cells(model.f1_macro)


def _cells(score: Score) -> tuple[str, str, str]:
    return _percent(score.base), _percent(score.here), _change(score)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _change(score: Score) -> str:
    if math.isnan(score.change):
        return ""
    points = f"{100 * score.change:+.2f}".replace("-", "−")
    if points in ("+0.00", "−0.00"):
        return "0"
    if score.is_below_interval:
        return f"**{points} ▼▼**"
    return f"{points} ▼" if score.change < 0 else points


def _outputs(outputs: Outputs) -> str:
    sentences = [
        *(f"Failed: {code(message)}." for message in outputs.trouble),
        *(
            f"Run here, with {what}: {', '.join(map(code, stages))}."
            for what, stages in {
                "the committed results": outputs.reproduced,
                "other results than the committed ones": outputs.otherwise,
            }.items()
            if stages
        ),
        *(
            [f"No cache has {len(outputs.missing)} of the outputs, such as {code(outputs.missing[0])}."]
            if outputs.missing
            else ["All outputs are in the cache."]
        ),
    ]
    return " ".join(sentences)


def _metrics(difference: Difference) -> list[str]:
    changed = {
        path: {key: values for key, values in keys.items() if values.get("old") != values.get("new")}
        for path, keys in difference.items()
    }
    return _folded("dvc metrics diff", ["Path", "Metric", "Base", "Here", "Change"], changed)


def _params(difference: Difference) -> list[str]:
    return _folded("dvc params diff", ["Path", "Param", "Base", "Here"], difference)


def _folded(title: str, header: list[str], difference: Difference) -> list[str]:
    """A table as `title` with ``--md`` gives it, behind a line that opens it."""
    rows = [
        (
            code(path),
            code(key),
            *(_value(values.get(side)) for side in ("old", "new", "diff")[: len(header) - 2]),
        )
        for path, keys in difference.items()
        for key, values in sorted(keys.items())
    ]
    if not rows:
        return [f"`{title}`: nothing has changed."]
    summary = f"<details><summary>{title}: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}</summary>"
    return [summary, table(header, rows), "</details>"]


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else code(str(value))
