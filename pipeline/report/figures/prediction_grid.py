"""Figure of predictions: each image beside the bars of its probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

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
# Inches. All is drawn into one axes: an axes each for thirty pictures and charts takes five times as long.
CELL_WIDTH, CELL_HEIGHT = 3.6, 1.65
HEADING_HEIGHT = 0.35
MARGIN = 0.1
SIDE = 1.2  # of a picture, and the height of the bars
CHARACTER = 0.052  # at the size of the names beside the bars


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
    title = (
        f"{model}: {right[chosen].sum()} of the {right.sum():,} test images it gets right, "
        f"{(~right[chosen]).sum()} of the {(~right).sum():,} it gets wrong"
    )
    return prediction_grid(shown, classes, title)


def _evenly(among: npt.NDArray[np.bool_], number: int) -> npt.NDArray[np.intp]:
    """Places of up to `number` true values, evenly spread over all of them."""
    places = np.flatnonzero(among)
    return places[np.linspace(0, len(places) - 1, min(number, len(places)), dtype=np.intp)]


def prediction_grid(shown: Sequence[Predicted], classes: Sequence[str], heading: str = "") -> Figure:
    """Each image beside its most probable classes, with the prediction above: green if right, red if wrong.

    A wrong one has the true class in brackets and a green bar for it, and is hatched, for readers without colours.
    Where the label is not known, the prediction is black.
    """
    columns = min(COLUMNS, len(shown))
    top = HEADING_HEIGHT if heading else 0
    width, height = CELL_WIDTH * columns, CELL_HEIGHT * ceil(len(shown) / columns) + top
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    for number, predicted in enumerate(shown):
        row, column = divmod(number, columns)
        left, upper = CELL_WIDTH * column + MARGIN, CELL_HEIGHT * row + top + 2 * MARGIN
        _draw_picture(axes, predicted, left, upper)
        _draw_bars(axes, predicted, classes, left + SIDE, upper)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    axes.axis("off")
    if heading:
        figure.suptitle(heading, fontsize="medium", fontweight="bold", parse_math=False, y=1 - 0.1 / height)
    return figure


def _draw_picture(axes: Axes, predicted: Predicted, left: float, upper: float) -> None:
    """Draw the picture into the square with this corner, its name below."""
    height, width = (SIDE * side / max(predicted.pixels.shape[:2]) for side in predicted.pixels.shape[:2])
    x, y = left + (SIDE - width) / 2, upper + (SIDE - height) / 2
    axes.imshow(predicted.pixels, cmap="gray", vmin=0, vmax=255, extent=(x, x + width, y + height, y))
    name = _cut(predicted.name[::-1])[::-1]  # of a path, the end says more
    _write(axes, left + SIDE / 2, upper + SIDE + 0.04, name, size=7, color=GREY, ha="center", va="top")


def _draw_bars(axes: Axes, predicted: Predicted, classes: Sequence[str], left: float, upper: float) -> None:
    """Draw the bars and their names to the right of `left`, with the prediction above."""
    best, label, probabilities = predicted.best, predicted.label, predicted.probabilities
    drawn = np.sort(np.argsort(-probabilities, kind="stable")[:BARS])
    names = [_cut(classes[number]) for number in drawn]
    zero = left + MARGIN + CHARACTER * max(map(len, names))
    one = left + CELL_WIDTH - SIDE - 2 * MARGIN
    slot = SIDE / len(drawn)
    places = upper + slot * (np.arange(len(drawn)) + 0.5)
    bars = axes.barh(places, probabilities[drawn] * (one - zero), slot * 0.8, zero, color=PALE)
    axes.plot([zero, zero], [upper, upper + SIDE], color="black", linewidth=0.8)
    for name, place in zip(names, places, strict=True):
        _write(axes, zero - 0.03, place, name, size=6, ha="right", va="center")

    bar_of = dict(zip(drawn.tolist(), bars, strict=True))
    verdict = "black" if label is None else RIGHT if label == best else WRONG
    bar_of[best].set_facecolor(verdict)
    title = f"{classes[best]} {probabilities[best]:.0%}"
    if label is not None and label != best:
        bar_of[best].set(hatch="/////", edgecolor="white", linewidth=0)
        if label in bar_of:
            bar_of[label].set_facecolor(RIGHT)
        title += f" ({classes[label]})"
    _write(axes, one, upper - 0.04, title, size=8, weight="bold", color=verdict, ha="right", va="bottom")


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, parse_math=False, **style)
