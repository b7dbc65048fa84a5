"""Charts of the data, as Vega-Lite by Altair."""

import altair as alt
import pandas as pd

from pipeline.dataset.parts import Normalization
from pipeline.report.page.chart_style import BLUE, GREEN, ORANGE, ROW, Chart, finished


def samples_per_class(counts: pd.DataFrame) -> Chart:
    """Images of each class in each part, from `images_per_class`."""
    parts = list(counts.columns[1:])
    rows = counts.melt("class", var_name="part", value_name="images").assign(
        order=lambda row: row["part"].map(parts.index)
    )
    scale = alt.Scale(domain=parts, range=[BLUE, ORANGE, GREEN])
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("images:Q", title="images", axis=alt.Axis(format=",d", tickCount=6)),
            y=alt.Y("class:N", sort=list(counts["class"]), title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.Color("part:N", scale=scale, title=None),
            order="order:Q",
            tooltip=["class:N", "part:N", alt.Tooltip("images:Q", format=",d")],
        )
    )
    return finished(chart, ROW * len(counts), "Images of each class in the training, validation and test part")


def pixel_values(histogram: pd.DataFrame, normalization: Normalization) -> Chart:
    """How often each level occurs, from `pixel_histogram`; the axis names the normalized value below the raw."""
    normalized = f"format((datum.value - {normalization.offset!r}) / {normalization.scale!r}, '.2f')"
    chart = (
        alt.Chart(histogram.round(6))
        .mark_bar(color=BLUE, binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="pixel before normalization, and below it after",
                scale=alt.Scale(domain=[0, 256], nice=False),
                axis=alt.Axis(
                    values=[0, 64, 128, 192, 255], labelExpr=f"[format(datum.value, 'd'), {normalized}]", grid=False
                ),
            ),
            x2="high:Q",
            y=alt.Y(
                "share:Q",
                title="share of training pixels",
                scale=alt.Scale(type="sqrt"),
                axis=alt.Axis(format=".0%", tickCount=5),
            ),
            tooltip=["low:Q", "high:Q", alt.Tooltip("share:Q", format=".2%")],
        )
    )
    return finished(chart, 240, "How often each level from 0 to 255 occurs in the training images")
