"""How the page's charts look; its style sheet gives the colours, light and dark."""

from typing import Any

import altair as alt

# Custom properties of page.css. SVG takes them as colours, so that a chart follows the theme without being redrawn.
INK, MUTED, LINE, BLUE, ORANGE, GREEN = (
    f"var(--{name})" for name in ("ink", "muted", "line", "blue", "orange", "green")
)

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
ROW = 26  # pixels of a class or a model


def finished(chart: Chart, height: int, description: str) -> Chart:
    """The chart as wide as its place on the page, `height` pixels high, in the page's type and colours."""
    text: dict[str, Any] = {
        "titleColor": MUTED,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
    }
    lines = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE}
    styled: Chart = chart.properties(
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        background="transparent",
        description=description,
    ).configure(
        font="system-ui, sans-serif",
        axis={"labelColor": MUTED, "labelLimit": 140, "labelOverlap": "greedy", **lines, **text},
        legend={"labelColor": INK, "orient": "top", **text},
        view={"stroke": None},
    )
    return styled
