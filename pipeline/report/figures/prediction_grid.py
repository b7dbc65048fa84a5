"""Figure of predictions: each image beside the bars of its probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.predictions import Predictions
from pipeline.report.figures.png import GREY

# Okabe and Ito's bluish green and vermilion: green and red that colour-blind readers can tell apart.
RIGHT = "#009E73"
WRONG = "#D55E00"
PALE = "#C8C8C8"
BARS = 10  # of more classes, the most probable
COLUMNS = 3
SHOWN_RIGHT, SHOWN_WRONG = 9, 6  # of a model's test images
NAME_LENGTH = 24


@dataclass(frozen=True)
class Predicted:
    """One image, uint8 (height, width, channels); probabilities, float32 (classes,); its label if known; its name."""

    pixels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    label: int | None
    name: str

    @property
    def best(self) -> int:
        """The most probable class; of equals, the first."""
        return int(self.probabilities.argmax())


def model_grid(model: str, images: npt.NDArray[np.uint8], predictions: Predictions, classes: Sequence[str]) -> Figure:
    """Some test images that one model gets right and some that it gets wrong, evenly from first to last.

    `images` are all test images, uint8 (n, height, width, channels).
    """
    right = predictions.predicted == predictions.labels
    chosen = np.sort(np.concatenate([_evenly(right, SHOWN_RIGHT), _evenly(~right, SHOWN_WRONG)]))
    shown = [
        Predicted(images[i], predictions.probabilities[i], int(predictions.labels[i]), f"test image {i}")
        for i in chosen
    ]
    figure = prediction_grid(shown, classes)
    title = (
        f"{model}: {right[chosen].sum()} of the {right.sum():,} test images it gets right, "
        f"{(~right[chosen]).sum()} of the {(~right).sum():,} it gets wrong"
    )
    figure.suptitle(title, fontsize="medium", fontweight="bold", parse_math=False)
    return figure


def _evenly(among: npt.NDArray[np.bool_], number: int) -> npt.NDArray[np.intp]:
    """Places of up to `number` true values, evenly spread over all of them."""
    places = np.flatnonzero(among)
    return places[np.linspace(0, len(places) - 1, min(number, len(places)), dtype=np.intp)]


def prediction_grid(shown: Sequence[Predicted], classes: Sequence[str]) -> Figure:
    """Each image beside its most probable classes, with the prediction above: green if right, red if wrong.

    A wrong one has the true class in brackets and a green bar for it, and is hatched, for readers without colours.
    Where the label is not known, the prediction is black.
    """
    columns = min(COLUMNS, len(shown))
    rows = ceil(len(shown) / columns)
    figure = Figure(figsize=(3.6 * columns, 0.4 + 1.65 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1] * columns)
    cells = axes.reshape(rows * columns, 2)
    for (picture, bars), predicted in zip(cells, shown, strict=False):
        _draw_picture(picture, predicted)
        _draw_bars(bars, predicted, classes)
    for axis in cells[len(shown) :].ravel():
        axis.remove()
    return figure


def _draw_picture(axes: Axes, predicted: Predicted) -> None:
    axes.imshow(predicted.pixels, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    name = predicted.name
    short = name if len(name) <= NAME_LENGTH else f"…{name[1 - NAME_LENGTH :]}"
    axes.set_xlabel(short, fontsize=7, color=GREY, parse_math=False)


def _draw_bars(axes: Axes, predicted: Predicted, classes: Sequence[str]) -> None:
    best, label, probabilities = predicted.best, predicted.label, predicted.probabilities
    drawn = np.sort(np.argsort(-probabilities, kind="stable")[:BARS])
    bars = axes.barh(np.arange(len(drawn)), probabilities[drawn], color=PALE, height=0.8)
    bar_of = dict(zip(drawn.tolist(), bars, strict=True))
    verdict = "black" if label is None else RIGHT if label == best else WRONG
    bar_of[best].set_facecolor(verdict)
    title = f"{classes[best]} {probabilities[best]:.0%}"
    if label is not None and label != best:
        bar_of[best].set(hatch="/////", edgecolor="white", linewidth=0)
        if label in bar_of:
            bar_of[label].set_facecolor(RIGHT)
        title += f" ({classes[label]})"
    axes.set_title(title, fontsize=8, fontweight="bold", color=verdict, loc="right", parse_math=False)
    for place, number in enumerate(drawn):  # as ticks, which are measured over and over, they would take twice as long
        axes.text(-0.03, place, classes[number], fontsize=6, ha="right", va="center", parse_math=False)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xticks=[], yticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
