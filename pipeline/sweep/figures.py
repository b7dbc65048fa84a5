"""Figures of a sweep: what the grids of the source articles show."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.report.figures.hyperparameters import hyperparameter_curves
from pipeline.report.figures.png import BLUE, ORANGE, plain
from pipeline.sweep.experiments import Outcome
from pipeline.sweep.schema import Choices, LogUniform, Search


def accuracy_by_setting(outcomes: Sequence[Outcome], best: Outcome) -> Figure:
    """Validation accuracy of every point, the most accurate on top and in another colour."""
    ranked = sorted(outcomes, key=lambda outcome: (outcome is best, outcome.validation_accuracy))
    figure = Figure(figsize=(7.5, 0.9 + 0.26 * len(ranked)), layout="constrained")
    axes = figure.subplots()
    for row, outcome in enumerate(ranked):
        accuracy, colour = outcome.validation_accuracy, ORANGE if outcome is best else BLUE
        axes.plot(accuracy, row, "o", color=colour)
        axes.annotate(f"{accuracy:.2%}", (accuracy, row), (6, 0), textcoords="offset points", va="center", size=8)
    axes.set_yticks(range(len(ranked)), [outcome.point.label for outcome in ranked], size=8)
    axes.margins(x=0.15)
    axes.set_xlabel("validation accuracy")
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    plain(axes)
    return figure


def curves_by_value(outcomes: Sequence[Outcome], setting: str, best: Outcome) -> Figure:
    """Curves of each value of one setting, all others as in the best point, laid over each other."""
    family = [outcome for outcome in outcomes if _others(outcome, setting) == _others(best, setting)]
    labels = [f"{setting} {outcome.point.settings[setting]}" for outcome in family]
    return hyperparameter_curves([outcome.curves for outcome in family], labels)


def accuracy_by_value(outcomes: Sequence[Outcome], search: Search, best: Outcome) -> Figure:
    """Validation accuracy of every trial that ended, by each of its settings."""
    figure = Figure(figsize=(3.4 * len(search.settings), 3.2), layout="constrained")
    panels = figure.subplots(1, len(search.settings), sharey=True, squeeze=False).ravel()
    for panel, (setting, space) in zip(panels, search.settings.items(), strict=True):
        for outcome in outcomes:
            value = outcome.point.settings[setting]
            shown = str(value) if isinstance(space, Choices) else value
            panel.plot(shown, outcome.validation_accuracy, "o", color=ORANGE if outcome is best else BLUE)
        if isinstance(space, LogUniform):
            panel.set_xscale("log")
        panel.set_xlabel(setting)
        plain(panel)
    panels[0].set_ylabel("validation accuracy")
    panels[0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def _others(outcome: Outcome, setting: str) -> dict[str, object]:
    return {key: value for key, value in outcome.point.settings.items() if key != setting}
