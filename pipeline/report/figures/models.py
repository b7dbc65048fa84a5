"""Figures of models: confusion matrix, learning curves, and curves across the settings of one architecture."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from pipeline.config_models import ModelConfig
from pipeline.data.dataset import Dataset
from pipeline.report.figures.images import class_counts, model_grid, pixel_range, samples
from pipeline.report.figures.style import BLUE, GREY, ORANGE, simplify, write_png
from pipeline.report.results import Result

COLOURS = "Blues"  # one hue, distinguished by lightness: safe for colour-blind readers and for print
DARK = 0.6  # fraction of the colour scale from which text is white
CELL = 0.46  # inches a side, of up to 30 classes
SIDE = 14  # inches that the cells of more classes share
LEGIBLE = 0.2  # inches; smaller cells have no count
COLUMNS = 4
MARKED_EPOCHS = 30  # up to here each epoch has a dot; more would hide the line
LONG = 100  # epochs; longer trainings have a thin line


def write_figures(folder: Path, results: Sequence[Result], dataset: Dataset) -> None:
    """Write figures of the data, of each model, and of each architecture that several models share.

    These are ``samples.png``, ``pixel_range.png`` and ``class_counts.png``; in ``confusion``, ``predictions`` and
    ``curves`` one figure for each model; in ``hyperparameters`` one for each architecture.

    Args:
        folder: Where to write.
        results: The models.
        dataset: The images of one split.
    """
    splits, classes = dataset.splits, results[0].classes
    write_png(folder / "samples.png", samples(splits["train"], classes))
    write_png(folder / "pixel_range.png", pixel_range(splits["train"].images[0], dataset.normalization))
    write_png(folder / "class_counts.png", class_counts(splits, classes))
    for result in results:
        grid = model_grid(result.name, splits["test"].images, result.best["test"], classes)
        figures = {"confusion": confusion_figure(result), "predictions": grid, "curves": learning_curves(result)}
        for name, figure in figures.items():
            write_png(folder / name / f"{result.name}.png", figure)
    for architecture, names in families({result.name: result.config for result in results}).items():
        family = [result for result in results if result.name in names]
        labels = differing_settings([result.config for result in family])
        figure = hyperparameter_curves([result.drawn_curves for result in family], labels)
        write_png(folder / "hyperparameters" / f"{architecture}.png", figure)


def confusion_figure(result: Result) -> Figure:
    """Draw the test images by actual and predicted class: counts as text, the fraction of the row as colour.

    Colours follow the square root of the fraction, so that mistakes of a few per cent show. With many classes the cells
    are smaller, down to colours alone.
    """
    counts, classes = result.confusion, result.classes
    support = counts.sum(axis=1, keepdims=True)
    fractions = counts / np.maximum(support, 1)
    cell = min(CELL, SIDE / len(classes))
    size = 10 * cell / CELL  # points of the type
    side = 2.2 + cell * len(classes)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    cells = axes.imshow(fractions, cmap=COLOURS, norm=norm)
    for (row, column), count in np.ndenumerate(counts) if cell >= LEGIBLE else ():
        ink = "white" if norm(fractions[row, column]) >= DARK else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=size)
    # Class names are text, even with the dollar signs of a formula.
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False, fontsize=size)
    axes.set_yticks(ticks, classes, parse_math=False, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="actual class")
    accuracy = result.best_scores["accuracy"]
    axes.set_title(f"{result.name}: accuracy {accuracy:.2%} on {counts.sum():,} test images", fontsize="medium")
    bar = figure.colorbar(cells, ax=axes, shrink=0.8, label="fraction of row")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.outline.set_visible(False)
    return figure


def learning_curves(result: Result) -> Figure:
    """Draw loss and accuracy of one model by epoch, training against validation, with the best epoch marked."""
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    figure.suptitle(result.name, fontsize="medium", fontweight="bold")
    loss, accuracy = figure.subplots(1, 2)
    _train_and_validation(loss, result, "loss")
    _train_and_validation(accuracy, result, "accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _train_and_validation(axes: Axes, result: Result, column: str) -> None:
    curves, best = result.drawn_curves, result.run.best_epoch
    marker = "." if len(curves) <= MARKED_EPOCHS else ""
    axes.plot(curves["epoch"], curves[column], marker=marker, color=BLUE, linestyle="--", label="training")
    axes.plot(curves["epoch"], curves[f"val_{column}"], marker=marker, color=ORANGE, label="validation")
    axes.axvline(best, color=GREY, linestyle=":", linewidth=1.2, label=f"best epoch ({best})")
    _label_axes(axes, column)


def validation_accuracies(results: Sequence[Result]) -> Figure:
    """Draw the validation accuracy of every model by epoch: one panel for each, the others in grey behind it.

    Epochs are on a log scale, since they range from a few to a thousand. Long trainings have fewer points and a
    thinner line. The accuracy axis begins just below the worst model's best epoch; early epochs may lie below it.
    """
    columns = min(COLUMNS, len(results))
    rows = ceil(len(results) / columns)
    figure = Figure(figsize=(2.4 * columns + 0.4, 1.9 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, result in zip(panels, results, strict=False):
        for other in results:
            panel.plot(other.drawn_curves["epoch"], other.drawn_curves["val_accuracy"], color="#D0D0D0", linewidth=0.6)
        _highlight(panel, result)
    for panel in panels[len(results) :]:
        panel.remove()
    _shared_axes(panels[0], results)
    figure.supxlabel("epoch (log scale; dot: best epoch)", fontsize="medium")
    figure.supylabel("validation accuracy", fontsize="medium")
    return figure


def _shared_axes(panel: Axes, results: Sequence[Result]) -> None:
    best = [float(result.curves["val_accuracy"].max()) for result in results]
    panel.set_ylim(max(0, min(best) - 0.1), min(1, max(best) + 0.03))
    panel.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    longest = max(len(result.curves) for result in results)
    panel.set_xscale("log")
    panel.set_xlim(0.8, 1.2 * max(longest, 10))
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.xaxis.set_minor_formatter(NullFormatter())


def _highlight(panel: Axes, result: Result) -> None:
    curves = result.drawn_curves
    width = 1.6 if len(result.curves) <= LONG else 0.8
    panel.plot(curves["epoch"], curves["val_accuracy"], color=BLUE, linewidth=width)
    best = curves[curves["epoch"] == result.run.best_epoch]
    panel.plot(best["epoch"], best["val_accuracy"], color=ORANGE, marker="o", markersize=5, linestyle="")
    panel.set_title(f"{result.name}: {best['val_accuracy'].item():.1%}", fontsize="medium")
    simplify(panel)


def families(models: Mapping[str, ModelConfig]) -> dict[str, list[str]]:
    """Group the names of models by architecture, where two or more share one."""
    by_architecture: dict[str, list[str]] = {}
    for name, config in models.items():
        by_architecture.setdefault(config.architecture, []).append(name)
    return {architecture: names for architecture, names in by_architecture.items() if len(names) > 1}


def hyperparameter_curves(curves: Sequence[pd.DataFrame], labels: Sequence[str]) -> Figure:
    """Draw loss and accuracy of several trainings by epoch, labelled by the settings that differ."""
    colours = colormaps["viridis"]
    figure = Figure(figsize=(9, 3.4 + 0.22 * len(curves)), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for index, (table, label) in enumerate(zip(curves, labels, strict=True)):
        colour = colours(0.9 * index / max(1, len(curves) - 1))
        for axes, column in ((loss, "loss"), (accuracy, "accuracy")):
            axes.plot(table["epoch"], table[column], color=colour, linestyle="--", linewidth=0.9)
            axes.plot(table["epoch"], table[f"val_{column}"], color=colour, label=label)
    _label_axes(loss, "loss")
    _label_axes(accuracy, "accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    lines = loss.get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", title="validation (training dashed)", frameon=False)
    return figure


def differing_settings(models: Sequence[ModelConfig]) -> list[str]:
    """Describe each model by the settings that differ between them, such as ``hidden [128], optimizer.name adam``."""
    table = pd.json_normalize([config.model_dump() for config in models]).astype(str)
    differing = table.loc[:, table.nunique() > 1]
    return [", ".join(f"{name} {value}" for name, value in row.items()) for _, row in differing.iterrows()]


def _label_axes(axes: Axes, name: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    simplify(axes)
