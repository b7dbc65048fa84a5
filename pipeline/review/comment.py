"""Write the review as a comment in Markdown that text from a branch cannot break out of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.review.scores import Candidate, Difference, ModelScores, Score, Verdict
from pipeline.review.staleness import Reason

LONGEST = 200  # characters shown of one text
LONGEST_TABLE = 20_000  # characters, after which a table is cut
LOOKALIKES = str.maketrans({"`": "ˋ", "|": "¦", "\\": "∖"})  # for what could end the code or the cell

STALE = (
    "These stages' results are not those of the code and the parameters beside them. "
    "Run `dvc repro`, then commit the lock files, `metrics/` and `reports/`."
)
REWORDED = "Only comments, docstrings or formatting have changed in {}. `make accept-comments` spares a new training."
LEGEND = "▼ is worse than the base, ▼▼ below the base's 95 % interval. Test images; changes are percentage points."


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
class Comparison:
    """The changes of a branch in the results."""

    models: Sequence[ModelScores]
    candidate: Candidate
    verdict: Verdict
    metrics: Difference


@dataclass(frozen=True)
class Review:
    """Everything that the comment says.

    Attributes:
        base: The base as it was given.
        commit: The commit that the branch is compared with; None without a base.
        params: Changed parameters.
        stale: Reasons by stage.
        reworded: Code in which only comments, docstrings or formatting have changed.
        comparison: None if results are stale or there is no base.
        outputs: None if none were asked for.
    """

    base: str
    commit: str | None
    params: Difference = field(default_factory=dict)
    stale: Mapping[str, Sequence[Reason]] = field(default_factory=dict)
    reworded: Sequence[str] = ()
    comparison: Comparison | None = None
    outputs: Outputs | None = None


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
        parts += _format_comparison(review.comparison)
    else:
        parts += ["**Passed.** The results are those of the code. There is no base to compare them with."]
    if review.reworded:
        parts.append(REWORDED.format(", ".join(map(as_code, review.reworded))))
    if review.outputs:
        parts.append(_format_outputs(review.outputs))
    if review.comparison:
        parts += _format_metrics(review.comparison.metrics)
    if review.commit:
        parts += _format_folded("dvc params diff", ["Path", "Param", "Base", "Here"], review.params)
    return "\n\n".join(parts) + "\n"


def format_failure(base: str, reasons: str) -> str:
    """Return the comment for a review that could not be made."""
    lines = [f"- {as_code(reason)}" for reason in reasons.splitlines()]
    return "\n".join([f"## Results against {as_code(base)}", "", "**Not reviewed.**", "", *lines]) + "\n"


def as_code(text: str) -> str:
    """Return the text on one line as code: no markup, no link, and nobody is notified.

    All text from a branch goes through this function. Characters that could end the code or a table's cell become
    others that look like them.

    >>> as_code("a|b @team")
    '`a¦b @team`'
    """
    line = " ".join(text.split())
    if len(line) > LONGEST:
        line = f"{line[:LONGEST]}…"
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return f"`{line.translate(LOOKALIKES)}`" if line else "–"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> str:
    """Return a table whose last `numbers` columns are aligned to the right, cut near `LONGEST_TABLE` characters."""
    align = [":---"] * (len(header) - numbers) + ["---:"] * numbers
    lines = [f"| {' | '.join(cells)} |" for cells in (header, align, *rows)]
    shown, length = 0, 0
    while shown < len(lines) and length <= LONGEST_TABLE:
        length += len(lines[shown])
        shown += 1
    text = "\n".join(lines[:shown])
    return text if shown == len(lines) else f"{text}\n\n… and {len(lines) - shown:,} rows more."


def _format_comparison(comparison: Comparison) -> list[str]:
    verdict, candidate = comparison.verdict, comparison.candidate
    header = ["Model", "Accuracy: base", "here", "change", "Macro F1: base", "here", "change"]
    rows = [(_describe_model(model, candidate), *_format_scores(model)) for model in comparison.models]
    if candidate.base and candidate.here and candidate.base != candidate.here:
        names = f"candidate: {as_code(candidate.base)} to {as_code(candidate.here)}"
        rows.insert(0, (names, *_format_scores(candidate.scores)))
    return [
        f"**{'Passed' if verdict.passed else 'Failed'}.** {verdict.sentence}",
        format_table(header, rows, numbers=6),
        LEGEND,
    ]


def _describe_model(model: ModelScores, candidate: Candidate) -> str:
    notes = {
        "candidate": model.name == candidate.here,
        "new": model.f1_macro.base is None,
        "removed": model.f1_macro.here is None,
    }
    base, here = model.seeds
    seeds = [f"{here} {'seed' if here == 1 else 'seeds'} (base: {base})"] if base and here and base != here else []
    return ", ".join([as_code(model.name), *(note for note, holds in notes.items() if holds), *seeds])


def _format_scores(model: ModelScores) -> tuple[str, ...]:
    return tuple(
        cell
        for score in (model.accuracy, model.f1_macro)
        for cell in (_format_percent(score.base), _format_percent(score.here), _format_change(score))
    )


def _format_percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _format_change(score: Score) -> str:
    if math.isnan(score.change):
        return ""
    points = f"{100 * score.change:+.2f}".replace("-", "−")
    if points in ("+0.00", "−0.00"):
        return "0"
    if score.is_below_interval:
        return f"**{points} ▼▼**"
    return f"{points} ▼" if score.change < 0 else points


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


def _format_metrics(difference: Difference) -> list[str]:
    changed = {
        path: {key: values for key, values in keys.items() if values.get("old") != values.get("new")}
        for path, keys in difference.items()
    }
    return _format_folded("dvc metrics diff", ["Path", "Metric", "Base", "Here", "Change"], changed)


def _format_folded(title: str, header: list[str], difference: Difference) -> list[str]:
    """Return the table that `title` with ``--md`` prints, behind a line that opens it."""
    sides = ("old", "new", "diff")[: len(header) - 2]
    rows = [
        (as_code(path), as_code(key), *(_format_value(values.get(side)) for side in sides))
        for path, keys in difference.items()
        for key, values in sorted(keys.items())
    ]
    if not rows:
        return [f"`{title}`: nothing has changed."]
    summary = f"<details><summary>{title}: {len(rows):,} {'row' if len(rows) == 1 else 'rows'}</summary>"
    return [summary, format_table(header, rows), "</details>"]


def _format_value(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else as_code(str(value))
