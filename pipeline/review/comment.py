"""Write the review as a comment in Markdown that text from a branch cannot break out of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.review.markdown import as_code, format_table
from pipeline.review.scores import Candidate, Changes, Difference, ModelScores, Score, format_score
from pipeline.review.settings import Column, Settings
from pipeline.review.staleness import Reason

STALE = (
    "These stages' results are not those of the code and the parameters beside them. "
    "Run `dvc repro`, then commit the lock files, the metrics and the reports."
)
COMMENTS_ONLY = (
    "Only comments, docstrings, formatting, or code that the stages do not import have changed in {}. "
    "{} spares a new training."
)


@dataclass(frozen=True)
class Outputs:
    """The outputs that a fresh clone lacks, and what became of them.

    Attributes:
        missing: Paths that neither cache nor remote has.
        reproduced: Stages that were run and wrote what the lock file records.
        differing: Stages that were run and wrote something else, as a training on another processor does.
        failures: Messages of a remote that could not be read or of a stage that failed.
    """

    missing: list[str] = field(default_factory=list)
    reproduced: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Review:
    """Everything that the comment says.

    Attributes:
        base: The base as it was given.
        commit: The commit that the branch is compared with; None without a base.
        params: Changed parameters.
        stale: Reasons by stage.
        comments_only: Changed code on which no result depends.
        comparison: None if results are stale or there is no base.
        outputs: None if none were asked for.
        settings: What is compared.
    """

    base: str
    commit: str | None
    params: Difference = field(default_factory=dict)
    stale: Mapping[str, Sequence[Reason]] = field(default_factory=dict)
    comments_only: Sequence[str] = ()
    comparison: Changes | None = None
    outputs: Outputs | None = None
    settings: Settings = field(default_factory=Settings)


def format_review(review: Review) -> str:
    """Return the whole comment."""
    against = f" against {as_code(review.base)} ({as_code(review.commit[:10])})" if review.commit else ""
    parts = [f"## Results{against}"]
    if review.stale:
        rows = [
            (as_code(stage), f"{as_code(why.subject)} {why.state}")
            for stage in review.stale
            for why in review.stale[stage]
        ]
        parts += [f"**Refused: stale results.** {STALE}", format_table(["Stage", "Because"], rows)]
    elif review.comparison:
        parts += _format_comparison(review.comparison, review.settings)
    else:
        parts += ["**Passed.** The results are those of the code. There is no base to compare them with."]
    if review.comments_only:
        parts.append(
            COMMENTS_ONLY.format(", ".join(map(as_code, review.comments_only)), as_code(review.settings.accept))
        )
    if review.outputs:
        parts.append(_format_outputs(review.outputs))
    if review.comparison:
        parts += _format_metrics(review.comparison.metrics, folded=bool(review.settings.columns))
    if review.commit:
        parts += _format_difference("dvc params diff", ["Path", "Param", "Base", "Here"], review.params)
    return "\n\n".join(parts) + "\n"


def format_failure(base: str, reasons: str) -> str:
    """Return the comment for a review that could not be made."""
    lines = [f"- {as_code(reason)}" for reason in reasons.splitlines()]
    return "\n".join([f"## Results against {as_code(base)}", "", "**Not reviewed.**", "", *lines]) + "\n"


def _format_comparison(comparison: Changes, settings: Settings) -> list[str]:
    verdict, candidate, columns = comparison.verdict, comparison.candidate, settings.columns
    outcome = f"**{'Passed' if verdict.passed else 'Failed'}.** {verdict.sentence}"
    if not columns:
        return [outcome]
    header = ["Model" if settings.files else "File"]
    for column in columns:
        header += [f"{column.name or as_code(column.metric)}: base", "here", "change"]
    rows = [(_describe_model(model, candidate), *_format_scores(model, columns)) for model in comparison.models]
    if candidate and candidate.base and candidate.here and candidate.base != candidate.here:
        names = f"candidate: {as_code(candidate.base)} to {as_code(candidate.here)}"
        rows.insert(0, (names, *_format_scores(candidate.model, columns)))
    return [outcome, format_table(header, rows, numbers=3 * len(columns)), _legend(settings)]


def _legend(settings: Settings) -> str:
    """Explain the marks and the unit of changes.

    >>> _legend(Settings(columns=[Column(metric="error", bound="error_high", lower_is_better=True)], note="Test set"))
    "▼ is worse than the base, ▼▼ above the base's 95 % interval. Test set."
    """
    sides = sorted({column.worse for column in settings.columns if column.bound}, reverse=True)
    beyond = f", ▼▼ {' or '.join(sides)} the base's 95 % interval" if sides else ""
    percent = [column.percent for column in settings.columns]
    changes = "changes" if all(percent) else "changes of percentages"
    notes = [settings.note or "", f"{changes} are percentage points" if any(percent) else ""]
    rest = "; ".join(filter(None, notes))
    return f"▼ is worse than the base{beyond}.{f' {rest[0].upper()}{rest[1:]}.' if rest else ''}"


def _describe_model(model: ModelScores, candidate: Candidate | None) -> str:
    notes = {
        "candidate": candidate is not None and model.name == candidate.here,
        "new": model.is_new,
        "removed": model.is_removed,
    }
    base, here = model.seeds
    seeds = [f"{here} {'seed' if here == 1 else 'seeds'} (base: {base})"] if base and here and base != here else []
    return ", ".join([as_code(model.name), *(note for note, holds in notes.items() if holds), *seeds])


def _format_scores(model: ModelScores, columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(
        cell
        for score, column in zip(model.scores, columns, strict=True)
        for cell in (format_score(score.base, column), format_score(score.here, column), _format_change(score, column))
    )


def _format_change(score: Score, column: Column) -> str:
    """Return the signed change with its mark; 0 for what the shown digits do not tell apart."""
    if math.isnan(score.change):
        return ""
    change = f"{100 * score.change:+.2f}" if column.percent else f"{score.change:+.5g}"
    if float(change) == 0:
        return "0"
    signed = change.replace("-", "−")
    if score.is_beyond_bound:
        return f"**{signed} ▼▼**"
    return f"{signed} ▼" if score.is_worse else signed


def _format_outputs(outputs: Outputs) -> str:
    ran = {"the committed results": outputs.reproduced, "other results than the committed ones": outputs.differing}
    sentences = [
        *(f"Failed: {as_code(message)}." for message in outputs.failures),
        *(f"Run here, with {what}: {', '.join(map(as_code, stages))}." for what, stages in ran.items() if stages),
    ]
    if outputs.missing:
        sentences.append(f"No cache has {len(outputs.missing)} of the outputs, such as {as_code(outputs.missing[0])}.")
    else:
        sentences.append("All outputs are in the cache.")
    return " ".join(sentences)


def _format_metrics(difference: Difference, folded: bool) -> list[str]:
    changed = {
        path: {key: values for key, values in keys.items() if values.get("old") != values.get("new")}
        for path, keys in difference.items()
    }
    return _format_difference("dvc metrics diff", ["Path", "Metric", "Base", "Here", "Change"], changed, folded)


def _format_difference(title: str, header: list[str], difference: Difference, folded: bool = True) -> list[str]:
    """Return the table that `title` with ``--md`` prints, behind a line that opens it if `folded`."""
    sides = ("old", "new", "diff")[: len(header) - 2]
    rows = [
        (as_code(path), as_code(key), *(_format_value(values.get(side)) for side in sides))
        for path, keys in sorted(difference.items())
        for key, values in sorted(keys.items())
    ]
    if not rows:
        return [f"`{title}`: nothing has changed."]
    table, count = format_table(header, rows), f"{title}: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}"
    return [f"<details><summary>{count}</summary>", table, "</details>"] if folded else [f"{count}.", table]


def _format_value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else as_code(str(value))
