"""The table over all models: numbers for programs, Markdown for readers."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.config import Published
from pipeline.evaluation.significance import Ranking, rank
from pipeline.report.results import Result, by_accuracy

SCORES = [f"{score}{suffix}" for score in ("accuracy", "f1_macro") for suffix in ("", "_std", "_low", "_high")]
TOP = 3  # models in a summary


def results_table(results: Sequence[Result], published: Mapping[str, Published]) -> pd.DataFrame:
    """Build the table with one row for each model, in the order given.

    The scores of the test split are means over the seeds and fractions of 1, and so is `published_accuracy`. Ranks are
    a range, from `rank_best` to `rank_worst`. `tied_with` names the models without a significant difference.
    """
    ranking = rank([result.correct for result in results])
    names = [result.name for result in results]
    rows = []
    for index, result in enumerate(results):
        rank_best, rank_worst = ranking.rank_range(index)
        claim = published.get(result.name)
        rows.append(
            {
                "model": result.name,
                "seeds": len(result.correct),
                **{score: result.test_scores.get(score) for score in [*SCORES, "ensemble_accuracy"]},
                "rank_best": rank_best,
                "rank_worst": rank_worst,
                "tied_with": ", ".join(names[other] for other in ranking.tied_with(index)) or None,
                "parameters": result.run.parameters,
                "seconds_per_epoch": result.run.seconds_per_epoch,
                "best_epoch": result.run.best_epoch,
                "epochs": result.run.epochs,
                "article": claim.article if claim else None,
                "claim": claim.claim if claim else None,
                "published_accuracy": claim.accuracy if claim else None,
            }
        )
    return pd.DataFrame(rows)


def tied_groups(results: Sequence[Result], ranking: Ranking) -> list[list[str]]:
    """Return the names of the models in each group without significant differences, the best first."""
    order = by_accuracy(results)
    groups = sorted(sorted(order.index(model) for model in group) for group in ranking.groups)
    return [[results[order[index]].name for index in group] for group in groups]


def results_markdown(results: Sequence[Result], published: Mapping[str, Published]) -> str:
    """Format the same table for readers, the best first, with notes on its numbers.

    Columns that would be empty for all models are left out.
    """
    ranking = rank([result.correct for result in results])
    order = by_accuracy(results)
    table = pd.DataFrame(
        [_row(results[index], ranking.rank_range(index), published.get(results[index].name)) for index in order]
    )
    table = table.loc[:, (table != "–").any()]
    align = ["left", *["right"] * (table.shape[1] - 1)]
    markdown = table.to_markdown(index=False, disable_numparse=True, colalign=align)
    notes = [_scores_note(results), _ranks_note(results, ranking)] if len(results) > 1 else [_scores_note(results)]
    return "\n\n".join([markdown, *notes]) + "\n"


def summary(results: Sequence[Result]) -> str:
    """Name the most accurate models, one a line."""
    lines = []
    for index in by_accuracy(results)[:TOP]:
        scores = results[index].test_scores
        interval = f"{percent(scores['accuracy_low'])}–{percent(scores['accuracy_high'])}"
        lines.append(f"{results[index].name:<20} {percent(scores['accuracy'])} % ({interval} %)")
    return "\n".join(lines)


def training_variance_note(results: Sequence[Result]) -> str:
    """Say what intervals and ranks include, in one or two sentences."""
    several = sum(len(result.correct) > 1 for result in results)
    images = "95 % intervals are percentile bootstraps over the test images"
    if several == len(results):
        return f"{images} and the seeds."
    if not several:
        return f"{images}. With a single seed, intervals and ranks do not include training variance."
    variance = f"mean seed variance of the {several} models" if several > 1 else "seed variance of the model"
    return (
        f"{images} and the seeds. With a single seed, the interval does not include training variance; ranks use the "
        f"{variance} with several seeds."
    )


def escape_markdown(text: str) -> str:
    r"""Put text on one line and escape what Markdown or HTML would read as markup, or as the end of a cell.

    >>> print(escape_markdown("a|b <i>*c*</i>"))
    a\|b \<i\>\*c\*\</i\>
    """
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def _row(result: Result, ranks: tuple[int, int], published: Published | None) -> dict[str, str]:
    scores, run = result.test_scores, result.run
    seconds = f"{run.seconds_per_epoch:.2g}" if run.seconds_per_epoch < 10 else f"{run.seconds_per_epoch:.0f}"
    deviation = f" ± {percent(scores['accuracy_std'])}" if "accuracy_std" in scores else ""
    ensemble = f"{percent(scores['ensemble_accuracy'])} %" if "ensemble_accuracy" in scores else "–"
    interval = f"({percent(scores['accuracy_low'])}–{percent(scores['accuracy_high'])} %)"
    return {
        "Model": f"`{result.name}`",
        "Rank": "–".join(map(str, dict.fromkeys(ranks))),
        "Test accuracy (95 % interval)": f"{percent(scores['accuracy'])}{deviation} % {interval}",
        "Seeds": f"{len(result.correct)}",
        "Ensemble of the seeds": ensemble,
        "Published accuracy (article)": (
            f"{escape_markdown(published.claim)} ({escape_markdown(published.article)})" if published else "–"
        ),
        "Macro F1": f"{percent(scores['f1_macro'])} %",
        "Parameters": f"{run.parameters:,}",
        "Seconds per epoch": seconds,
        "Epochs (best of trained)": f"{run.best_epoch} of {run.epochs}",
    }


def percent(fraction: float) -> str:
    """Write a fraction in per cent, with two digits."""
    return f"{100 * fraction:.2f}"


def _scores_note(results: Sequence[Result]) -> str:
    images = " or ".join(dict.fromkeys(f"{len(result.actual):,}" for result in results))
    machines = " or ".join(dict.fromkeys(escape_markdown(result.run.machine) for result in results))
    ensemble = (
        " The ensemble of the seeds averages their probabilities."
        if any(len(result.correct) > 1 for result in results)
        else ""
    )
    return (
        f"Measured on {images} test images; trained with {machines}. Scores are means over the seeds, accuracy ± "
        f"standard deviation.{ensemble} Parameters, time and epochs are those of the best seed (highest validation "
        f"accuracy). {training_variance_note(results)}"
    )


def _ranks_note(results: Sequence[Result], ranking: Ranking) -> str:
    groups = [[f"`{name}`" for name in group] for group in tied_groups(results, ranking)]
    named = "; ".join(f"{', '.join(group[:-1])} and {group[-1]}" for group in groups)
    return (
        "Ranks are ranges where accuracies do not differ significantly at the 5 % level: tests of all "
        f"{len(ranking.pairs)} pairs, corrected by Holm's method. No significant difference within: {named or 'none'}."
    )
