"""Figure of the number of images."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pipeline.dataset.parts import Part
from pipeline.report.figures.png import BLUE


def class_counts(parts: Mapping[str, Part], classes: Sequence[str]) -> Figure:
    """Images of each class, a panel a part on one scale, the number at the end of each bar."""
    figure = Figure(figsize=(2.6 * len(parts) + 1, 0.9 + 0.25 * len(classes)), layout="constrained")
    panels = figure.subplots(1, len(parts), sharex=True, sharey=True)
    for axes, (name, part) in zip(panels, parts.items(), strict=True):
        counts = np.bincount(part.labels, minlength=len(classes))
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
