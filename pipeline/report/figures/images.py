"""Figures of images: samples, counts, pixel ranges, and predictions beside bars of their probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.data.dataset import Normalization, Split
from pipeline.evaluation.predictions import Predictions
from pipeline.report.figures.style import BLUE, GREY

SAMPLES = 10  # of each class
GAP = 1  # pixel between images
# Okabe and Ito's bluish green and vermilion: green and red that colour-blind readers can tell apart.
CORRECT = "#009E73"
INCORRECT = "#D55E00"
PALE = "#C8C8C8"
BARS = 10  # of more classes, the most probable
COLUMNS = 3
SHOWN_CORRECT, SHOWN_INCORRECT = 9, 6  # of a model's test images
NAME_LENGTH = 24
# Inches. All is drawn into one axes: an axes each for thirty pictures and charts takes five times as long.
CELL_WIDTH, CELL_HEIGHT = 3.6, 1.65
HEADING_HEIGHT = 0.35
MARGIN = 0.1
SIDE = 1.2  # of a picture, and the height of the bars
CHARACTER = 0.052  # at the size of the names beside the bars


@dataclass(frozen=True)
class Predicted:
    """An image, uint8 (height, width, channels), probabilities, float32 (classes,), the label if known, and a name."""

    pixels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    label: int | None
    name: str

    @property
    def best(self) -> int:
        """The most probable class. Among equals it is the first."""
        return int(self.probabilities.argmax())


def samples(split: Split, classes: Sequence[str]) -> Figure:
    """Draw the first images of each class, one row for each class, with its name.

    All images are put into one picture: a plot for each of hundreds would take minutes.
    """
    _, height, width, channels = split.images.shape
    picture = np.full((len(classes), height + GAP, SAMPLES, width + GAP, channels), 255, np.uint8)
    for label in range(len(classes)):
        chosen = split.images[np.flatnonzero(split.labels == label)[:SAMPLES]]
        picture[label, :height, : len(chosen), :width] = chosen.swapaxes(0, 1)
    rows, columns = len(classes) * (height + GAP), SAMPLES * (width + GAP)
    inches = 0.6 * SAMPLES
    figure = Figure(figsize=(inches + 1, inches * rows / columns), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture.reshape(rows, columns, channels), cmap="gray", vmin=0, vmax=255)
    axes.set_yticks((np.arange(len(classes)) + 0.5) * (height + GAP) - 0.5, classes, parse_math=False)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def class_counts(splits: Mapping[str, Split], classes: Sequence[str]) -> Figure:
    """Draw the number of images of each class, one panel for each split, on one scale."""
    figure = Figure(figsize=(2.6 * len(splits) + 1, 0.9 + 0.25 * len(classes)), layout="constrained")
    panels = figure.subplots(1, len(splits), sharex=True, sharey=True)
    for axes, (name, split) in zip(panels, splits.items(), strict=True):
        counts = np.bincount(split.labels, minlength=len(classes))
        bars = axes.barh(range(len(classes)), counts, color=BLUE)
        axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize="small")
        axes.margins(x=0.2)
        axes.set_xticks([])
        axes.set_title(f"{name}: {counts.sum():,} images", fontsize="medium")
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
    panels[0].set_yticks(range(len(classes)), classes, parse_math=False)
    panels[0].invert_yaxis()
    return figure


def pixel_range(image: npt.NDArray[np.uint8], normalization: Normalization) -> Figure:
    """Draw one image, uint8 (height, width, channels), before and after normalization, each with a colour bar.

    The mean of the channels is drawn for an image in colour.
    """
    mean = image.mean(axis=2)
    offset, scale = normalization.offset, normalization.scale
    figure = Figure(figsize=(7.5, 3.1), layout="constrained")
    raw, normalized = figure.subplots(1, 2)
    _draw_pixels(figure, raw, mean, 0, 255, "pixel")
    formula = f"(pixel − {offset:.4g}) / {scale:.4g}"
    _draw_pixels(
        figure,
        normalized,
        (mean - offset) / scale,
        -offset / scale,
        (255 - offset) / scale,
        formula,
    )
    raw.set_title("as stored", fontsize="medium")
    normalized.set_title("normalized", fontsize="medium")
    return figure


def _draw_pixels(figure: Figure, axes: Axes, image: npt.NDArray[Any], low: float, high: float, label: str) -> None:
    shown = axes.imshow(image, cmap="viridis", vmin=low, vmax=high)
    bar = figure.colorbar(shown, ax=axes, label=label, ticks=np.linspace(low, high, 6))
    bar.outline.set_visible(False)


def model_grid(model: str, images: npt.NDArray[np.uint8], predictions: Predictions, classes: Sequence[str]) -> Figure:
    """Draw some test images that a model classifies correctly and some that it does not, evenly from first to last.

    Args:
        model: Name of the model.
        images: All test images, uint8 (n, height, width, channels).
        predictions: The model's predictions for them.
        classes: Class names by label.

    Returns:
        The figure.
    """
    correct = predictions.predicted == predictions.labels
    chosen = np.sort(np.concatenate([_evenly(correct, SHOWN_CORRECT), _evenly(~correct, SHOWN_INCORRECT)]))
    shown = [
        Predicted(images[i], predictions.probabilities[i], int(predictions.labels[i]), f"test image {i}")
        for i in chosen
    ]
    title = (
        f"{model}: {correct[chosen].sum()} of {correct.sum():,} correctly classified test images, "
        f"{(~correct[chosen]).sum()} of {(~correct).sum():,} misclassified"
    )
    return prediction_grid(shown, classes, title)


def _evenly(among: npt.NDArray[np.bool_], number: int) -> npt.NDArray[np.intp]:
    """Return the indices of up to `number` true values, evenly spread over all of them."""
    indices = np.flatnonzero(among)
    return indices[np.linspace(0, len(indices) - 1, min(number, len(indices)), dtype=np.intp)]


def prediction_grid(shown: Sequence[Predicted], classes: Sequence[str], heading: str = "") -> Figure:
    """Draw each image beside its most probable classes, with the prediction above: green if correct, red if not.

    A wrong prediction has the actual class in brackets, with a green bar, and its own bar is hatched for readers who
    cannot see colours. Where the label is not known, the prediction is black.

    Args:
        shown: The images.
        classes: Class names by label.
        heading: Title of the figure.

    Returns:
        The figure.
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
    """Draw the picture into the square with this upper left corner, its name below."""
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
    verdict = "black" if label is None else CORRECT if label == best else INCORRECT
    bar_of[best].set_facecolor(verdict)
    title = f"{classes[best]} {probabilities[best]:.0%}"
    if label is not None and label != best:
        bar_of[best].set(hatch="/////", edgecolor="white", linewidth=0)
        if label in bar_of:
            bar_of[label].set_facecolor(CORRECT)
        title += f" ({classes[label]})"
    _write(axes, one, upper - 0.04, title, size=8, weight="bold", color=verdict, ha="right", va="bottom")


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, parse_math=False, **style)
