"""The table over all models: numbers for programs, Markdown for readers."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.params.schema import Claim
from pipeline.report.results import Result, Run

SCORES = ["accuracy", "accuracy_low", "accuracy_high", "f1_macro", "f1_macro_low", "f1_macro_high"]


def results_table(results: Sequence[Result], claims: Mapping[str, Claim]) -> pd.DataFrame:
    """One row a model, in the order given: test scores, size and length of training, the source's claim if any.

    Scores, intervals and `claimed_accuracy` are shares of 1.
    """
    return pd.DataFrame([_row(result, claims.get(result.name)) for result in results])


def _row(result: Result, claim: Claim | None) -> dict[str, str | float | None]:
    run = result.run
    return {
        "model": result.name,
        **{score: result.test_scores[score] for score in SCORES},
        "parameters": run.parameters,
        "seconds_per_epoch": run.seconds_per_epoch,
        "best_epoch": run.best_epoch,
        "epochs": run.epochs,
        "article": claim.article if claim else None,
        "claim": claim.claim if claim else None,
        "claimed_accuracy": claim.accuracy if claim else None,
    }


def results_markdown(results: Sequence[Result], claims: Mapping[str, Claim]) -> str:
    """The same table for readers, and a line that says what its numbers are of; no claims, no column for them."""
    rows = [_words(result, claims.get(result.name)) for result in results]
    table = pd.DataFrame(rows)
    if not claims:
        table = table.drop(columns="Claim (article)")
    align = ["left", *["right"] * (table.shape[1] - 1)]
    return f"{table.to_markdown(index=False, disable_numparse=True, colalign=align)}\n\n{_note(results)}\n"


def _words(result: Result, claim: Claim | None) -> dict[str, str]:
    scores, run = result.test_scores, result.run
    return {
        "Model": f"`{result.name}`",
        "Test accuracy (95 % interval)": (
            f"{_percent(scores['accuracy'])} % "
            f"({_percent(scores['accuracy_low'])}–{_percent(scores['accuracy_high'])} %)"
        ),
        "Claim (article)": f"{_literal(claim.claim)} ({_literal(claim.article)})" if claim else "–",
        "Macro F1": f"{_percent(scores['f1_macro'])} %",
        "Parameters": f"{run.parameters:,}",
        "Seconds per epoch": np.format_float_positional(run.seconds_per_epoch, precision=2, fractional=False, trim="-"),
        "Epochs (kept of trained)": f"{run.best_epoch} of {run.epochs}",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _literal(text: str) -> str:
    """The text on one line, with what Markdown or HTML would read as markup, or as the end of a cell, escaped."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def _note(results: Sequence[Result]) -> str:
    images = " or ".join(dict.fromkeys(f"{len(result.actual):,}" for result in results))
    machines = " or ".join(dict.fromkeys(_machine(result.run) for result in results))
    return (
        f"Measured on {images} test images, one trained model (one seed) each, trained with {machines}. "
        "Intervals are percentile bootstraps over the test images; they leave out the chance of training."
    )


def _machine(run: Run) -> str:
    return _literal(f"{run.backend} on {run.device} ({run.processor}, {run.cores} cores)")
