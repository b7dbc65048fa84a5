"""Figure of an image's pixels before and after normalization."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.dataset.parts import Normalization


def pixel_range(image: npt.NDArray[np.uint8], normalization: Normalization) -> Figure:
    """One image, uint8 (height, width, channels), raw and normalized, with a colour bar over the range of all pixels.

    Of an image in colour, the mean of the channels is drawn.
    """
    mean = image.mean(axis=2)
    offset, scale = normalization.offset, normalization.scale
    figure = Figure(figsize=(7.5, 3.1), layout="constrained")
    raw, normalized = figure.subplots(1, 2)
    _draw(figure, raw, mean, 0, 255, "pixel")
    formula = f"(pixel − {offset:.4g}) / {scale:.4g}"
    _draw(
        figure,
        normalized,
        (mean - offset) / scale,
        -offset / scale,
        (255 - offset) / scale,
        formula,
    )
    raw.set_title("as stored", fontsize="medium")
    normalized.set_title("as the network sees it", fontsize="medium")
    return figure


def _draw(figure: Figure, axes: Axes, image: npt.NDArray[Any], low: float, high: float, label: str) -> None:
    shown = axes.imshow(image, cmap="viridis", vmin=low, vmax=high)
    bar = figure.colorbar(shown, ax=axes, label=label, ticks=np.linspace(low, high, 6))
    bar.outline.set_visible(False)
