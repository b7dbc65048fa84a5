"""The table over all models: numbers for programs, Markdown for readers."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.kinds import ENSEMBLE, MODEL, STUDENT
from pipeline.evaluation.ranking import Ranking, rank
from pipeline.params.schema import Claim
from pipeline.report.results import Result, Run, TrainedResult, trained

SCORES = [f"{score}{figure}" for score in ("accuracy", "f1_macro") for figure in ("", "_std", "_low", "_high")]


def results_table(results: Sequence[Result], claims: Mapping[str, Claim]) -> pd.DataFrame:
    """One row a model, in the order given: test scores, rank, size and length of training, the source's claim if any.

    `kind` is model, ensemble or student; an ensemble has no epochs.

    Scores, which are means over the seeds, their standard deviations and intervals, and `claimed_accuracy` are shares
    of 1. A rank is a range, from `rank_best` to `rank_worst`; `not_told_apart_from` names models.
    """
    ranking = rank([result.right for result in results])
    names = [result.name for result in results]
    rows = []
    for place, result in enumerate(results):
        rank_best, rank_worst = ranking.range_of(place)
        others = ", ".join(names[other] for other in ranking.not_told_apart_from(place))
        ranks = {"rank_best": rank_best, "rank_worst": rank_worst, "not_told_apart_from": others or None}
        rows.append(_row(result, ranks, claims.get(result.name)))
    return pd.DataFrame(rows).astype({"best_epoch": "Int64", "epochs": "Int64"})


def best_first(results: Sequence[Result]) -> list[int]:
    """The places of the models, the most accurate on the test images first."""
    return sorted(range(len(results)), key=lambda place: -results[place].test_scores["accuracy"])


def groups_of_equals(results: Sequence[Result], ranking: Ranking) -> list[list[str]]:
    """The names of the models in each group that cannot be told apart, the best first."""
    order = best_first(results)
    groups = sorted(sorted(order.index(model) for model in group) for group in ranking.groups)
    return [[results[order[place]].name for place in group] for group in groups]


def _row(result: Result, ranks: Mapping[str, str | int | None], claim: Claim | None) -> dict[str, str | float | None]:
    run = result.run if isinstance(result, TrainedResult) else None
    return {
        "model": result.name,
        "kind": result.kind.name,
        "seeds": len(result.right),
        **{score: result.test_scores.get(score) for score in SCORES},
        **ranks,
        "parameters": result.parameters,
        "seconds_per_epoch": result.seconds_per_epoch,
        "best_epoch": run.best_epoch if run else None,
        "epochs": run.epochs if run else None,
        "article": claim.article if claim else None,
        "claim": claim.claim if claim else None,
        "claimed_accuracy": claim.accuracy if claim else None,
    }


def results_markdown(results: Sequence[Result], claims: Mapping[str, Claim]) -> str:
    """The same table for readers, the best first, and what its numbers are of; no claims, no column for them."""
    ranking = rank([result.right for result in results])
    order = best_first(results)
    rows = [_words(results[place], ranking.range_of(place), claims.get(results[place].name)) for place in order]
    table = pd.DataFrame(rows)
    if not claims:
        table = table.drop(columns="Claim (article)")
    align = ["left", *["right"] * (table.shape[1] - 1)]
    markdown = table.to_markdown(index=False, disable_numparse=True, colalign=align)
    notes = [_note(results), _ranks(results, ranking)] if len(results) > 1 else [_note(results)]
    return "\n\n".join([markdown, *notes]) + "\n"


def _words(result: Result, ranks: tuple[int, int], claim: Claim | None) -> dict[str, str]:
    scores, run = result.test_scores, result.run if isinstance(result, TrainedResult) else None
    seconds = np.format_float_positional(result.seconds_per_epoch, precision=2, fractional=False, trim="-")
    kind = "" if result.kind == MODEL else f" ({result.kind.name})"
    deviation = f" ± {_percent(scores['accuracy_std'])}" if "accuracy_std" in scores else ""
    return {
        "Model": f"`{result.name}`{kind}",
        "Rank": "–".join(map(str, dict.fromkeys(ranks))),
        "Test accuracy (95 % interval)": (
            f"{_percent(scores['accuracy'])}{deviation} % "
            f"({_percent(scores['accuracy_low'])}–{_percent(scores['accuracy_high'])} %)"
        ),
        "Seeds": f"{len(result.right)}",
        "Claim (article)": f"{_literal(claim.claim)} ({_literal(claim.article)})" if claim else "–",
        "Macro F1": f"{_percent(scores['f1_macro'])} %",
        "Parameters": f"{result.parameters:,}",
        "Seconds per epoch": seconds,
        "Epochs (kept of trained)": f"{run.best_epoch} of {run.epochs}" if run else "–",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _literal(text: str) -> str:
    """The text on one line, with what Markdown or HTML would read as markup, or as the end of a cell, escaped."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def _note(results: Sequence[Result]) -> str:
    images = " or ".join(dict.fromkeys(f"{len(result.actual):,}" for result in results))
    machines = " or ".join(dict.fromkeys(_machine(result.run) for result in trained(results)))
    kinds = {result.kind for result in results}
    sums = " An ensemble's parameters and seconds are sums over its networks." if ENSEMBLE in kinds else ""
    alone = " A student's are its own, without its teacher's." if STUDENT in kinds else ""
    return (
        f"Measured on {images} test images; trained with {machines}. Scores are means over the seeds, accuracy ± their "
        "standard deviation; size, seconds and epochs are of the seed that is kept, the best on validation images. "
        "Intervals are percentile bootstraps over the test images and the seeds; of models with one seed, intervals "
        f"and ranks leave out the chance of training.{sums}{alone}"
    )


def _ranks(results: Sequence[Result], ranking: Ranking) -> str:
    groups = [[f"`{name}`" for name in group] for group in groups_of_equals(results, ranking)]
    named = "; ".join(f"{', '.join(group[:-1])} and {group[-1]}" for group in groups)
    return (
        "A rank is a range where models cannot be told apart at the 5 % level by tests of all pairs, with Holm's "
        f"correction for their number, {len(ranking.pairs)}. Not told apart: {named or 'none'}."
    )


def _machine(run: Run) -> str:
    return _literal(f"{run.backend} on {run.device} ({run.processor}, {run.cores} cores)")
