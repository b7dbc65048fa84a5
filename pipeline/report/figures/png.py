"""How the report's figures look and are kept."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pipeline.artifacts import replacing

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#6B6B6B"
RESOLUTION = 150  # dots per inch
PALETTE = 256  # colours in a file without photographs; the eye sees no difference, and the file is a third as large


def plain(axes: Axes) -> None:
    """Take away what a plot does not need and lay a light grid below it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)


def write_png(path: Path, figure: Figure) -> None:
    """Write the figure; equal figures give equal bytes."""
    figure.set_dpi(RESOLUTION)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    in_colour = any(np.asarray(drawn.get_array()).ndim == 3 for axes in figure.axes for drawn in axes.images)
    if not in_colour:
        image = image.quantize(PALETTE, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with replacing(path) as temporary:
        image.save(temporary, dpi=(RESOLUTION, RESOLUTION), optimize=True)
