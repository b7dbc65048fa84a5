"""Learning curves of chosen models, as Vega-Lite by Altair."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from pipeline.report.page.chart_style import INK, Chart, finished
from pipeline.report.results import TrainedResult

SERIES = [f"var(--series-{number})" for number in range(1, 7)]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
DRAWN_EPOCHS = 120  # of a longer training, so many are drawn, as many for each factor of epochs
LONG = 50  # from so many epochs on, their axis is logarithmic


def learning_curves(results: Sequence[TrainedResult], chosen: Sequence[str]) -> Chart:
    """Curves by epoch: the script sets `chosen`, a list of models, and `measure`, accuracy or loss.

    A model's place among those chosen gives its colour, and its shape: colours repeat, then shapes differ.
    """
    rows = pd.concat([_curve(result) for result in results])
    many = int(rows["epoch"].max()) > LONG
    epoch = alt.X(
        "epoch:Q",
        title="epoch (log scale)" if many else "epoch",
        scale=alt.Scale(type="log" if many else "linear", nice=False, padding=8),
        axis=alt.Axis(format="d", tickMinStep=1, grid=False),
    )
    value = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(zero=False),
        axis=alt.Axis(labelExpr="measure == 'accuracy' ? format(datum.value, '.0%') : format(datum.value, '.2f')"),
    )
    places = alt.Scale(domain=list(range(len(SERIES))), range=SERIES)
    colour = alt.Color("colour:N", legend=None, scale=places)
    shape = alt.Shape("round:N", legend=None, scale=alt.Scale(domain=list(range(len(SHAPES))), range=SHAPES))
    part = alt.StrokeDash(
        "part:N",
        title=None,
        scale=alt.Scale(domain=["validation", "training"], range=[[1, 0], [4, 3]]),
        legend=alt.Legend(symbolStrokeColor=INK, symbolType="stroke", symbolSize=400, symbolStrokeWidth=2),
    )
    tips = ["model:N", "part:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")]
    base = (
        alt.Chart(rows)
        .transform_calculate(place="indexof(chosen, datum.model)")
        .transform_filter("datum.place >= 0")
        .transform_calculate(
            value="measure == 'accuracy' ? datum.accuracy : datum.loss",
            colour=f"datum.place % {len(SERIES)}",
            round=f"floor(datum.place / {len(SERIES)}) % {len(SHAPES)}",
        )
    )
    lines = base.mark_line(strokeWidth=2).encode(
        x=epoch, y=value, detail="model:N", color=colour, strokeDash=part, tooltip=tips
    )
    kept = (
        base.transform_filter("datum.kept && datum.part == 'validation'")
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=epoch, y=value, color=colour, shape=shape, tooltip=tips)
    )
    settings = alt.param(name="chosen", value=list(chosen)), alt.param(name="measure", value="accuracy")
    chart = alt.layer(lines, kept).add_params(*settings)
    return finished(chart, 320, "Learning curves of the chosen models, training against validation")


def _curve(result: TrainedResult) -> pd.DataFrame:
    """Rows of model, part, epoch, accuracy, loss and whether this epoch was kept."""
    curves, best = result.curves, result.run.best_epoch
    if len(curves) > DRAWN_EPOCHS:
        drawn = np.unique(np.geomspace(1, len(curves), DRAWN_EPOCHS).round())
        curves = curves[curves["epoch"].isin([*drawn, best])]
    parts = []
    for part, prefix in {"training": "", "validation": "val_"}.items():
        values = {measure: curves[f"{prefix}{measure}"].round(5) for measure in ("accuracy", "loss")}
        parts.append(pd.DataFrame({"part": part, "epoch": curves["epoch"], **values}))
    return pd.concat(parts).assign(model=result.name, kept=lambda rows: rows["epoch"] == best)
