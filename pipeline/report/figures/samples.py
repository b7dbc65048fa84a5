"""Figure of sample images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pipeline.dataset.parts import Part

SAMPLES = 10  # of each class
GAP = 1  # pixel between images


def samples(part: Part, classes: Sequence[str]) -> Figure:
    """The first images of each class, a row a class, its name before it.

    All are laid into one picture, which is drawn in a moment where a plot for each of hundreds takes minutes.
    """
    _, height, width, channels = part.images.shape
    picture = np.full((len(classes), height + GAP, SAMPLES, width + GAP, channels), 255, np.uint8)
    for label in range(len(classes)):
        chosen = part.images[np.flatnonzero(part.labels == label)[:SAMPLES]]
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
