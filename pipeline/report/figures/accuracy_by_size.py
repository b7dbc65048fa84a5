"""Figure of what accuracy is to be had for how many parameters."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.evaluation.kinds import ENSEMBLE, MODEL, STUDENT
from pipeline.evaluation.pareto import pareto_front
from pipeline.report.figures.png import BLUE, GREY, ORANGE, plain
from pipeline.report.results import Result

MARKERS = {MODEL: "o", ENSEMBLE: "s", STUDENT: "^"}


def accuracy_by_size(results: Sequence[Result]) -> Figure:
    """Test accuracy by parameters, a mark each with the 95 % interval, and the Pareto front, whose members are orange.

    The line of the front is the best accuracy of all that have so many parameters or fewer.
    """
    sizes = [result.parameters for result in results]
    accuracies = [result.test_scores["accuracy"] for result in results]
    front = pareto_front(sizes, accuracies)
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    (line,) = axes.plot(
        [sizes[place] for place in front],
        [accuracies[place] for place in front],
        drawstyle="steps-post",
        color=ORANGE,
        linewidth=1.2,
        label="Pareto front",
    )
    marks = {}
    for place, (result, size, accuracy) in enumerate(zip(results, sizes, accuracies, strict=True)):
        colour = ORANGE if place in front else BLUE
        axes.vlines(size, result.test_scores["accuracy_low"], result.test_scores["accuracy_high"], colour, alpha=0.3)
        marks[result.kind] = axes.plot(size, accuracy, MARKERS[result.kind], color=colour, markersize=5)[0]
        axes.annotate(
            result.name,
            (size, accuracy),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize="x-small",
            color="black" if place in front else GREY,
            parse_math=False,
        )
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("parameters of all networks (log scale)")
    axes.set_ylabel("test accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    plain(axes)
    kinds = [kind for kind in MARKERS if kind in marks]
    handles, labels = [line, *(marks[kind] for kind in kinds)], ["Pareto front", *(kind.name for kind in kinds)]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure
