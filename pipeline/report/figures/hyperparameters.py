"""Figure of learning curves laid over each other across the settings of one architecture."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.params.schema import ModelParams
from pipeline.report.figures.png import plain


def families(models: Mapping[str, ModelParams]) -> dict[str, list[str]]:
    """Names of the models of each architecture that has two or more."""
    by_architecture: dict[str, list[str]] = {}
    for name, params in models.items():
        by_architecture.setdefault(params.architecture, []).append(name)
    return {architecture: names for architecture, names in by_architecture.items() if len(names) > 1}


def hyperparameter_curves(curves: Sequence[pd.DataFrame], labels: Sequence[str]) -> Figure:
    """Loss and accuracy by epoch of several trainings, in training dashed, labelled by what differs between them."""
    colours = colormaps["viridis"]
    figure = Figure(figsize=(9, 3.4 + 0.22 * len(curves)), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for place, (table, label) in enumerate(zip(curves, labels, strict=True)):
        colour = colours(0.9 * place / max(1, len(curves) - 1))
        for axes, column in ((loss, "loss"), (accuracy, "accuracy")):
            axes.plot(table["epoch"], table[column], color=colour, linestyle="--", linewidth=0.9)
            axes.plot(table["epoch"], table[f"val_{column}"], color=colour, label=label)
    _finish(loss, "loss")
    _finish(accuracy, "accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    lines = loss.get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", title="validation (training dashed)", frameon=False)
    return figure


def differing_settings(models: Sequence[ModelParams]) -> list[str]:
    """For each model, the settings in which not all are equal, such as ``hidden [128], optimizer.name adam``."""
    table = pd.json_normalize([params.model_dump() for params in models]).astype(str)
    differing = table.loc[:, table.nunique() > 1]
    return [", ".join(f"{name} {value}" for name, value in row.items()) for _, row in differing.iterrows()]


def _finish(axes: Axes, name: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    plain(axes)
