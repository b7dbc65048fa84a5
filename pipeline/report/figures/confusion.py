"""Figure of a confusion matrix."""

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.report.results import Result

COLOURS = "Blues"  # one hue, told by lightness alone: safe for colour-blind readers and for print
DARK = 0.6  # from this place in the colours on, ink is white
CELL = 0.46  # inches a side, of up to 30 classes
SIDE = 14  # inches that the cells of more classes share
LEGIBLE = 0.2  # inches; smaller cells have no count


def confusion_figure(result: Result) -> Figure:
    """Test images by actual and predicted class: counts in the cells, shares of the actual class as colours.

    Colours follow the square root of the share, so that mistakes of a few per cent show. Cells of many classes are
    smaller, down to colours alone.
    """
    counts, classes = result.confusion, result.classes
    support = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(support, 1)
    cell = min(CELL, SIDE / len(classes))
    size = 10 * cell / CELL  # points of the type
    side = 2.2 + cell * len(classes)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    cells = axes.imshow(shares, cmap=COLOURS, norm=norm)
    for (row, column), count in np.ndenumerate(counts) if cell >= LEGIBLE else ():
        ink = "white" if norm(shares[row, column]) >= DARK else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=size)
    # Class names are text, even with the dollar signs of a formula.
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False, fontsize=size)
    axes.set_yticks(ticks, classes, parse_math=False, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="actual class")
    accuracy = result.kept_scores["accuracy"]
    axes.set_title(f"{result.name}: {accuracy:.2%} of {counts.sum():,} test images right", fontsize="medium")
    bar = figure.colorbar(cells, ax=axes, shrink=0.8, label="share of row")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.outline.set_visible(False)
    return figure
