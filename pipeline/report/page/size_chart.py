"""Accuracy by parameters, as Vega-Lite by Altair."""

import altair as alt
import pandas as pd

from pipeline.evaluation.kinds import ENSEMBLE, MODEL, STUDENT
from pipeline.evaluation.pareto import pareto_front
from pipeline.report.page.chart_style import BLUE, INK, MUTED, ORANGE, Chart, finished

SHAPES = {MODEL.name: "circle", ENSEMBLE.name: "square", STUDENT.name: "triangle-up"}


def accuracy_by_size(table: pd.DataFrame) -> Chart:
    """Test accuracy by parameters with the Pareto front, its members in orange; from `results_table`."""
    rows = table[["model", "kind", "parameters", "accuracy", "accuracy_low", "accuracy_high"]]
    front = pareto_front(rows["parameters"].to_list(), rows["accuracy"].to_list())
    rows = rows.assign(front=rows.index.isin(front))
    x = alt.X(
        "parameters:Q",
        title="parameters of all networks (log scale)",
        scale=alt.Scale(type="log", nice=False, padding=60),
        axis=alt.Axis(format="~s", grid=False),
    )
    y = alt.Y(
        "accuracy:Q",
        title="test accuracy",
        scale=alt.Scale(zero=False, padding=12),
        axis=alt.Axis(format="%", tickCount=6),
    )
    colour = alt.when("datum.front").then(alt.value(ORANGE)).otherwise(alt.value(BLUE))
    shapes = [kind for kind in SHAPES if kind in set(rows["kind"])]
    shape = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=shapes, range=[SHAPES[kind] for kind in shapes]))
    tips = [
        *("model:N", "kind:N"),
        alt.Tooltip("parameters:Q", format=","),
        *(alt.Tooltip(f"{column}:Q", format=".2%", title=column.replace("_", " ")) for column in rows.columns[3:6]),
        alt.Tooltip("front:N", title="on the Pareto front"),
    ]
    line = (
        alt.Chart(rows.iloc[front])
        .mark_line(interpolate="step-after", color=ORANGE, strokeWidth=1.5)
        .encode(x=x, y=y, order="parameters:Q")
    )
    base = alt.Chart(rows).encode(x=x)
    interval = base.mark_rule(strokeWidth=3, opacity=0.3).encode(
        y=alt.Y("accuracy_low:Q"), y2="accuracy_high:Q", color=colour, tooltip=tips
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(y=y, color=colour, shape=shape, tooltip=tips)
    name = base.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(
        y=y, text="model:N", color=alt.when("datum.front").then(alt.value(INK)).otherwise(alt.value(MUTED))
    )
    return finished(alt.layer(line, interval, point, name), 380, "Test accuracy by number of parameters, Pareto front")
