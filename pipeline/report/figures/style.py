"""The look of the report's figures, and how they are written."""

import sys
import warnings
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.io import atomic_write

# Okabe and Ito's colours, which colour-blind readers can tell apart.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#6B6B6B"
RESOLUTION = 150  # dots per inch
# Fonts for Chinese, Japanese and Korean class names, used for the characters that the default font lacks.
CJK_FONTS = [
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
]
matplotlib.rcdefaults()  # a user's own settings change no figure
matplotlib.rcParams["font.family"] = ["sans-serif", *[name for name in CJK_FONTS if name in get_font_names()][:1]]
PALETTE = 256  # colours of a file without photographs: it looks the same and is a third as large


def simplify(axes: Axes) -> None:
    """Remove the frame of a plot and draw a light grid below it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E6E6E6", linewidth=0.6)
    axes.set_axisbelow(True)


def write_png(path: Path, figure: Figure, metadata: PngInfo | None = None) -> None:
    """Write the figure. Equal figures give equal bytes.

    Warns once if no installed font has all characters, which are then drawn as boxes.

    Args:
        path: The file.
        figure: The figure.
        metadata: Texts for the file.
    """
    figure.set_dpi(RESOLUTION)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        canvas.draw()
    if any("missing from" in str(warning.message) for warning in caught):
        _warn_of_boxes()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    in_colour = any(np.asarray(drawn.get_array()).ndim == 3 for axes in figure.axes for drawn in axes.images)
    if not in_colour:
        image = image.quantize(PALETTE, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with atomic_write(path) as temporary:
        image.save(temporary, dpi=(RESOLUTION, RESOLUTION), optimize=True, pnginfo=metadata)


@cache
def _warn_of_boxes() -> None:
    fonts = ", ".join(CJK_FONTS[:2])
    print(
        f"warning: no installed font has all characters of the class names; install one, e.g. {fonts}", file=sys.stderr
    )
