"""Figure of what the seed makes of each model's accuracy."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.report.figures.png import BLUE, ORANGE, plain
from pipeline.report.results import Result


def seed_accuracies(results: Sequence[Result]) -> Figure:
    """Test accuracy of each seed as a dot, by model, the best mean first, with the mean and its 95 % interval."""
    ranked = sorted(results, key=lambda result: -result.test_scores["accuracy"])
    figure = Figure(figsize=(7.5, 1.1 + 0.32 * len(ranked)), layout="constrained")
    axes = figure.subplots()
    for row, result in enumerate(ranked):
        scores, accuracies = result.test_scores, result.right.mean(axis=1)
        interval = axes.hlines(row, scores["accuracy_low"], scores["accuracy_high"], color=BLUE, alpha=0.3, linewidth=7)
        mean = axes.plot(
            scores["accuracy"], row, color=BLUE, marker="|", markersize=13, markeredgewidth=2, linestyle=""
        )
        seeds = axes.plot(accuracies, [row] * len(accuracies), color=ORANGE, marker="o", markersize=3.5, linestyle="")
    axes.set_yticks(range(len(ranked)), [result.name for result in ranked], parse_math=False)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.set_xlabel("test accuracy")
    plain(axes)
    names = ["one seed", "mean", "95 % interval of the mean"]
    figure.legend([*seeds, *mean, interval], names, loc="outside lower center", ncols=3, frameon=False)
    return figure
