"""Figures of loss and accuracy by epoch."""

from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from pipeline.report.figures.png import BLUE, GREY, ORANGE, plain
from pipeline.report.results import TrainedResult

COLUMNS = 4
MARKED_EPOCHS = 30  # up to here each epoch has a dot; more would hide the line


def learning_curves(result: TrainedResult) -> Figure:
    """Loss and accuracy of one model by epoch, training against validation, the kept epoch marked."""
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    figure.suptitle(result.name, fontsize="medium", fontweight="bold")
    loss, accuracy = figure.subplots(1, 2)
    _train_and_validation(loss, result, "loss")
    _train_and_validation(accuracy, result, "accuracy")
    loss.set_ylabel("loss")
    accuracy.set_ylabel("accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _train_and_validation(axes: Axes, result: TrainedResult, column: str) -> None:
    curves, kept = result.curves, result.run.best_epoch
    marker = "." if len(curves) <= MARKED_EPOCHS else ""
    axes.plot(curves["epoch"], curves[column], marker=marker, color=BLUE, linestyle="--", label="training")
    axes.plot(curves["epoch"], curves[f"val_{column}"], marker=marker, color=ORANGE, label="validation")
    axes.axvline(kept, color=GREY, linestyle=":", linewidth=1.2, label=f"kept epoch ({kept})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    plain(axes)


def validation_accuracies(results: Sequence[TrainedResult]) -> Figure:
    """Validation accuracy of every model by epoch: one panel a model, the others in grey behind it.

    Epochs are on a log scale, since they range from a few to a thousand. The accuracy axis begins just below the
    worst kept model; early epochs may lie below it.
    """
    columns = min(COLUMNS, len(results))
    rows = ceil(len(results) / columns)
    figure = Figure(figsize=(2.4 * columns + 0.4, 1.9 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, result in zip(panels, results, strict=False):
        for other in results:
            panel.plot(other.curves["epoch"], other.curves["val_accuracy"], color="#D0D0D0", linewidth=0.8)
        _highlight(panel, result)
    for panel in panels[len(results) :]:
        panel.remove()
    _shared_axes(panels[0], results)
    figure.supxlabel("epoch (log scale; dot: kept)", fontsize="medium")
    figure.supylabel("validation accuracy", fontsize="medium")
    return figure


def _shared_axes(panel: Axes, results: Sequence[TrainedResult]) -> None:
    best = [float(result.curves["val_accuracy"].max()) for result in results]
    panel.set_ylim(max(0, min(best) - 0.1), min(1, max(best) + 0.03))
    panel.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    longest = max(len(result.curves) for result in results)
    panel.set_xscale("log")
    panel.set_xlim(0.8, 1.2 * max(longest, 10))
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.xaxis.set_minor_formatter(NullFormatter())


def _highlight(panel: Axes, result: TrainedResult) -> None:
    curves = result.curves
    panel.plot(curves["epoch"], curves["val_accuracy"], color=BLUE, linewidth=1.6)
    kept = curves[curves["epoch"] == result.run.best_epoch]
    panel.plot(kept["epoch"], kept["val_accuracy"], color=ORANGE, marker="o", markersize=5, linestyle="")
    panel.set_title(f"{result.name}: {kept['val_accuracy'].item():.1%}", fontsize="medium")
    plain(panel)
