"""The report of a sweep: a table of its trials, and the figures that the source articles show of their grids."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.io import write_csv
from pipeline.report.figures.models import hyperparameter_curves
from pipeline.report.figures.style import BLUE, ORANGE, simplify, write_png
from pipeline.sweep.config import Choices, LogUniform, Search, Sweep
from pipeline.sweep.trials import PrunedTrial, TrialResult


def write_report(folder: Path, sweep: Sweep, results: Sequence[TrialResult | PrunedTrial], best: TrialResult) -> None:
    """Write ``trials.csv`` and the figures of a sweep.

    Args:
        folder: Where they go. Its figures, which may be of earlier settings, are removed.
        sweep: The sweep.
        results: All its trials.
        best: The best of them.
    """
    ended = [result for result in results if isinstance(result, TrialResult)]
    for path in folder.rglob("*.png"):  # of settings that the file had before
        path.unlink(missing_ok=True)
    write_csv(folder / "trials.csv", trials_table(results, best))
    write_png(folder / "accuracy.png", accuracy_by_setting(ended, best))
    if sweep.search:
        write_png(folder / "settings.png", accuracy_by_value(ended, sweep.search, best))
        return
    for setting, values in (sweep.grid or {}).items():
        if len(values) > 1:
            write_png(folder / "curves" / f"{setting}.png", curves_by_value(ended, setting, best))


def trials_table(results: Sequence[TrialResult | PrunedTrial], best: TrialResult) -> pd.DataFrame:
    """Return one row a trial.

    Columns: the experiment, each setting, `status` (finished or pruned), validation accuracy, epochs trained,
    `is_best`. A pruned trial has no experiment and no accuracy. Nothing is from the test split.
    """
    return pd.DataFrame([_row(result) | {"is_best": result is best} for result in results])


def _row(result: TrialResult | PrunedTrial) -> dict[str, Any]:
    trial = result.trial
    if isinstance(result, PrunedTrial):
        pruned = {"status": "pruned", "validation_accuracy": None, "epochs_trained": result.epoch}
        return {"experiment": None, **trial.settings, **pruned}
    accuracy, epochs = result.validation_accuracy, len(result.curves)
    finished = {"status": "finished", "validation_accuracy": accuracy, "epochs_trained": epochs}
    return {"experiment": trial.name, **trial.settings, **finished}


def accuracy_by_setting(results: Sequence[TrialResult], best: TrialResult) -> Figure:
    """Draw the validation accuracy of every trial, the best on top and in another colour."""
    ranked = sorted(results, key=lambda result: (result is best, result.validation_accuracy))
    figure = Figure(figsize=(7.5, 0.9 + 0.26 * len(ranked)), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(ranked):
        accuracy, colour = result.validation_accuracy, ORANGE if result is best else BLUE
        axes.plot(accuracy, row, "o", color=colour)
        axes.annotate(f"{accuracy:.2%}", (accuracy, row), (6, 0), textcoords="offset points", va="center", size=8)
    axes.set_yticks(range(len(ranked)), [result.trial.label for result in ranked], size=8)
    axes.margins(x=0.15)
    axes.set_xlabel("validation accuracy")
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    simplify(axes)
    return figure


def curves_by_value(results: Sequence[TrialResult], setting: str, best: TrialResult) -> Figure:
    """Draw the curves of each value of one setting; the other settings are those of the best trial.

    Args:
        results: All finished trials.
        setting: Key of the setting.
        best: The best of the trials.

    Returns:
        The figure.
    """
    family = [result for result in results if _others(result, setting) == _others(best, setting)]
    labels = [f"{setting} {result.trial.settings[setting]}" for result in family]
    return hyperparameter_curves([result.curves for result in family], labels)


def accuracy_by_value(results: Sequence[TrialResult], search: Search, best: TrialResult) -> Figure:
    """Draw the validation accuracy of every finished trial, by each of its settings.

    Args:
        results: All finished trials.
        search: The ranges of the settings.
        best: The best of the trials.

    Returns:
        The figure, with a panel for each setting.
    """
    figure = Figure(figsize=(3.4 * len(search.settings), 3.2), layout="constrained")
    panels = figure.subplots(1, len(search.settings), sharey=True, squeeze=False).ravel()
    for panel, (setting, space) in zip(panels, search.settings.items(), strict=True):
        for result in results:
            value = result.trial.settings[setting]
            shown = str(value) if isinstance(space, Choices) else value
            panel.plot(shown, result.validation_accuracy, "o", color=ORANGE if result is best else BLUE)
        if isinstance(space, LogUniform):
            panel.set_xscale("log")
        panel.set_xlabel(setting)
        simplify(panel)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def _others(result: TrialResult, setting: str) -> dict[str, object]:
    return {key: value for key, value in result.trial.settings.items() if key != setting}
