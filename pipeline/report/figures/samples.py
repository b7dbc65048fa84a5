"""Figure of sample images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pipeline.dataset.parts import Part

SAMPLES = 10  # of each class


def samples(part: Part, classes: Sequence[str]) -> Figure:
    """The first images of each class, a row a class, its name before it."""
    close = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)  # inches, shares
    figure = Figure(figsize=(0.6 * SAMPLES + 1, 0.6 * len(classes)), layout=close)
    rows = figure.subplots(len(classes), SAMPLES)
    for label, (row, name) in enumerate(zip(rows, classes, strict=True)):
        chosen = part.images[np.flatnonzero(part.labels == label)[:SAMPLES]]
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, image in zip(row, chosen, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", parse_math=False)
    return figure
