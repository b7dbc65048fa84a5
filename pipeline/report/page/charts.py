"""The page's charts, as Vega-Lite by Altair."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from pipeline.data.dataset import Normalization
from pipeline.evaluation.metrics import pareto_front
from pipeline.report.results import Result

# Custom properties of page.css. SVG takes them as colours, so a chart follows the theme without being redrawn.
INK, MUTED, LINE, BLUE, ORANGE, GREEN = (
    f"var(--{name})" for name in ("ink", "muted", "line", "blue", "orange", "green")
)

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
ROW = 26  # pixels of a class or a model
SIZE_HEIGHT, SIZE_WIDTH = 380, 640  # pixels of the chart of accuracy by parameters; its real width follows the page
LABEL_HEIGHT, LABEL_CHARACTER, LABEL_RISE = 13, 6.5, 9  # pixels of its labels, and above their points
SERIES = [f"var(--series-{number})" for number in range(1, 7)]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
LONG = 50  # epochs; beyond them the axis is logarithmic


def style(chart: Chart, height: int, description: str) -> Chart:
    """Give a chart the width of its place on the page, a height in pixels, and the page's type and colours.

    Args:
        chart: The chart.
        height: Height in pixels.
        description: What screen readers say.

    Returns:
        The styled chart.
    """
    text: dict[str, Any] = {"titleColor": MUTED, "titleFontSize": 12, "titleFontWeight": "normal", "labelFontSize": 12}
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


def accuracies(table: pd.DataFrame) -> Chart:
    """Draw test accuracies with intervals, the best first, and the published accuracies, from `results_table`."""
    known = table["published_accuracy"].notna().any()
    columns = ["model", "accuracy", "accuracy_low", "accuracy_high", *(["published_accuracy"] if known else [])]
    rows = table[columns].sort_values("accuracy", ascending=False)
    order = list(rows["model"])
    base = alt.Chart(rows).encode(y=alt.Y("model:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False)))
    x = alt.X("accuracy:Q", title="test accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format="%", tickCount=6))
    tips = [
        alt.Tooltip("model:N"),
        *(alt.Tooltip(f"{column}:Q", format=".2%", title=column.replace("_", " ")) for column in columns[1:]),
    ]
    interval = base.mark_rule(strokeWidth=6, opacity=0.3, color=BLUE).encode(
        x=alt.X("accuracy_low:Q"), x2="accuracy_high:Q", tooltip=tips
    )
    point = base.mark_point(filled=True, size=70, opacity=1, color=BLUE).encode(x=x, tooltip=tips)
    published = base.mark_point(shape="diamond", size=70, strokeWidth=2, opacity=1, color=ORANGE).encode(
        x=alt.X("published_accuracy:Q"), tooltip=tips
    )
    layers, description = [interval, point], "Test accuracy of each model with its 95 % interval"
    if known:
        layers, description = [*layers, published], f"{description}, and the published accuracy"
    return style(alt.layer(*layers), ROW * len(order), description)


def seed_differences(results: Sequence[Result]) -> Chart:
    """Draw how far each seed's test accuracy is from the model's mean, in points, with the interval of the mean."""
    seeds, intervals = [], []
    for result in results:
        scores = result.test_scores
        ends = {end: 100 * (scores[f"accuracy_{end}"] - scores["accuracy"]) for end in ("low", "high")}
        intervals.append({"model": result.name, **ends})
        for run, accuracy in zip(result.run.seeds, result.correct.mean(axis=1), strict=True):
            points = 100 * (accuracy - scores["accuracy"])
            seeds.append({"model": result.name, "seed": run.seed, "accuracy": accuracy, "points": points})
    order = [result.name for result in results]
    y = alt.Y("model:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X("points:Q", title="points from the model’s mean", axis=alt.Axis(format="+.1f", tickCount=7))
    interval = (
        alt.Chart(pd.DataFrame(intervals).round(4))
        .mark_rule(strokeWidth=6, opacity=0.3, color=BLUE)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    )
    points = (
        alt.Chart(pd.DataFrame(seeds).round(6))
        .mark_point(size=60, strokeWidth=2, opacity=1, color=INK)
        .encode(x=x, y=y, tooltip=["model:N", "seed:N", alt.Tooltip("accuracy:Q", format=".2%")])
    )
    return style(alt.layer(interval, points), ROW * len(order), "Test accuracy of each seed against its model's mean")


def reliability_diagram(tables: Mapping[str, pd.DataFrame], model: str) -> Chart:
    """Draw accuracy against confidence of each bin, from `reliability`. The script sets `model`."""
    rows = pd.concat([table.round(5).assign(model=name) for name, table in tables.items()])
    fraction = alt.Scale(domain=[0, 1])
    base = alt.Chart(rows).transform_filter("datum.model == model")
    tips = [
        *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("low", "high", "confidence", "accuracy")),
        alt.Tooltip("images:Q", format=","),
    ]
    x = alt.X("confidence:Q", scale=fraction, title="confidence", axis=alt.Axis(format="%", tickCount=5, grid=False))
    y = alt.Y("accuracy:Q", scale=fraction, title="accuracy", axis=alt.Axis(format="%", tickCount=5))
    ideal = (
        alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
        .mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1)
        .encode(x=x, y=y)
    )
    gap = base.mark_rule(color=ORANGE, strokeWidth=2).encode(x=x, y=alt.Y("confidence:Q"), y2="accuracy:Q")
    size = alt.Size("images:Q", legend=None, scale=alt.Scale(range=[30, 500], zero=True))
    points = base.mark_point(filled=True, opacity=0.9, color=BLUE).encode(x=x, y=y, size=size, tooltip=tips)
    chart = alt.layer(ideal, gap, points).add_params(alt.param(name="model", value=model))
    return style(chart, 300, "Reliability diagram: accuracy against confidence of the chosen model")


def scores_by_class(results: Sequence[Result], model: str) -> Chart:
    """Draw precision, recall and F1 on the test images by class. The script sets `model`."""
    classes = results[0].classes
    rows = pd.concat([result.per_class.round(5).assign(model=result.name) for result in results])
    measures = {"precision": BLUE, "recall": ORANGE, "f1": INK}
    score = alt.X(
        "score:Q", title=None, scale=alt.Scale(zero=False, padding=12), axis=alt.Axis(format="%", tickCount=6)
    )
    scale = alt.Scale(domain=list(measures), range=list(measures.values()))
    shapes = alt.Scale(domain=list(measures), range=["circle", "diamond", "stroke"])
    points = (
        alt.Chart(rows)
        .transform_filter("datum.model == model")
        .transform_fold(list(measures), as_=["measure", "score"])
        .mark_point(size=80, strokeWidth=2, opacity=1)
        .encode(
            x=score,
            y=alt.Y("class:N", sort=list(classes), title=None, axis=alt.Axis(ticks=False, domain=False, grid=True)),
            color=alt.Color("measure:N", scale=scale, title=None),
            shape=alt.Shape("measure:N", scale=shapes, title=None),
            tooltip=["class:N", "measure:N", alt.Tooltip("score:Q", format=".2%")],
        )
    )
    chart = points.add_params(alt.param(name="model", value=model))
    return style(chart, ROW * len(classes), "Precision, recall and F1 of each class for the chosen model")


def class_differences(classes: Sequence[str]) -> Chart:
    """Draw the difference of two models' recall by class. The script fills the data set `differences`."""
    none = [{"class": name, "difference": 0} for name in classes]
    chart = (
        alt.Chart(alt.InlineData(values=none, name="differences"))
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X(
                "difference:Q",
                title="recall of the first model − recall of the second, in points",
                axis=alt.Axis(format="+.1f", tickCount=7),
            ),
            y=alt.Y("class:N", sort=list(classes), title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.when("datum.difference > 0").then(alt.value(BLUE)).otherwise(alt.value(ORANGE)),
            tooltip=["class:N", alt.Tooltip("difference:Q", format="+.2f", title="points")],
        )
    )
    return style(chart, ROW * len(classes), "Difference of recall between the first and the second model, by class")


def accuracy_by_size(table: pd.DataFrame) -> Chart:
    """Draw test accuracy by parameters, with the Pareto front in orange, from `results_table`."""
    rows = table[["model", "parameters", "accuracy", "accuracy_low", "accuracy_high"]]
    front = pareto_front(rows["parameters"].to_list(), rows["accuracy"].to_list())
    rows = rows.assign(front=rows.index.isin(front), dy=_label_offsets(rows))
    x = alt.X(
        "parameters:Q",
        title="parameters (log scale)",
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
    tips = [
        "model:N",
        alt.Tooltip("parameters:Q", format=","),
        *(alt.Tooltip(f"{column}:Q", format=".2%", title=column.replace("_", " ")) for column in rows.columns[2:5]),
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
    point = base.mark_point(filled=True, size=80, opacity=1).encode(y=y, color=colour, tooltip=tips)
    name = base.mark_text(align="left", dx=8, dy=alt.ExprRef("datum.dy"), baseline="middle", fontSize=11).encode(
        y=y, text="model:N", color=alt.when("datum.front").then(alt.value(INK)).otherwise(alt.value(MUTED))
    )
    return style(
        alt.layer(line, interval, point, name), SIZE_HEIGHT, "Test accuracy by number of parameters, Pareto front"
    )


def _label_offsets(rows: pd.DataFrame) -> list[float]:
    """Move labels up or down, in pixels, so that those of models with similar sizes do not overlap.

    Pixels are estimated for a chart `SIZE_WIDTH` wide; Vega-Lite knows no layout of labels.
    """
    sizes, accuracies = np.log(rows["parameters"].to_numpy(float)), rows["accuracy"].to_numpy(float)
    x = (sizes - sizes.min()) / max(np.ptp(sizes), 1e-9) * SIZE_WIDTH
    low, high = rows["accuracy_low"].min(), rows["accuracy_high"].max()
    y = (high - accuracies) / max(high - low, 1e-9) * SIZE_HEIGHT - LABEL_HEIGHT / 2
    width = rows["model"].str.len().to_numpy() * LABEL_CHARACTER
    placed: list[tuple[float, float, float]] = []  # left, right and height of the labels so far
    offsets = np.zeros(len(rows))
    for index in np.argsort(y, kind="stable"):
        left, right, top = x[index], x[index] + width[index], y[index]
        for other_left, other_right, other_top in sorted(placed, key=lambda label: label[2]):
            if left < other_right and other_left < right and abs(top - other_top) < LABEL_HEIGHT:
                top = other_top + LABEL_HEIGHT
        placed.append((left, right, top))
        offsets[index] = top - y[index] - LABEL_RISE
    return [round(float(offset), 1) for offset in offsets]


def compared_curves(results: Sequence[Result], chosen: Sequence[str]) -> Chart:
    """Draw curves by epoch. The script sets `chosen`, a list of models, and `measure`, accuracy or loss.

    A model's index among the chosen ones gives its colour and its shape: when colours repeat, shapes differ.
    """
    rows = pd.concat([_curve(result) for result in results])
    epochs = int(rows["epoch"].max())
    many = epochs > LONG
    epoch = alt.X(
        "epoch:Q",
        title="epoch (log scale)" if many else "epoch",
        scale=alt.Scale(type="log" if many else "linear", nice=False, padding=8),
        axis=alt.Axis(format="d", grid=False, values=alt.Undefined if many else _whole_ticks(epochs)),
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
    split = alt.StrokeDash(
        "split:N",
        title=None,
        scale=alt.Scale(domain=["validation", "training"], range=[[1, 0], [4, 3]]),
        legend=alt.Legend(symbolStrokeColor=INK, symbolType="stroke", symbolSize=400, symbolStrokeWidth=2),
    )
    tips = ["model:N", "split:N", "epoch:Q", alt.Tooltip("value:Q", format=".4f")]
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
        x=epoch, y=value, detail="model:N", color=colour, strokeDash=split, tooltip=tips
    )
    best = (
        base.transform_filter("datum.best && datum.split == 'validation'")
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=epoch, y=value, color=colour, shape=shape, tooltip=tips)
    )
    settings = alt.param(name="chosen", value=list(chosen)), alt.param(name="measure", value="accuracy")
    chart = alt.layer(lines, best).add_params(*settings)
    return style(chart, 320, "Learning curves of the chosen models, training against validation")


def _whole_ticks(epochs: int) -> list[int]:
    """Return about ten whole epochs for an axis. Vega-Lite repeats them where there are few."""
    return list(range(1, epochs + 1, max(1, round(epochs / 10))))


def _curve(result: Result) -> pd.DataFrame:
    """Tabulate model, split, epoch, accuracy, loss and whether this is the best epoch."""
    curves, best = result.drawn_curves, result.run.best_epoch
    splits = []
    for split, prefix in {"training": "", "validation": "val_"}.items():
        values = {measure: curves[f"{prefix}{measure}"].round(5) for measure in ("accuracy", "loss")}
        splits.append(pd.DataFrame({"split": split, "epoch": curves["epoch"], **values}))
    return pd.concat(splits).assign(model=result.name, best=lambda rows: rows["epoch"] == best)


def samples_per_class(counts: pd.DataFrame) -> Chart:
    """Draw the number of images of each class in each split, from `images_per_class`."""
    splits = list(counts.columns[1:])
    rows = counts.melt("class", var_name="split", value_name="images").assign(
        order=lambda row: row["split"].map(splits.index)
    )
    scale = alt.Scale(domain=splits, range=[BLUE, ORANGE, GREEN])
    chart = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("images:Q", title="images", axis=alt.Axis(format=",d", tickCount=6)),
            y=alt.Y("class:N", sort=list(counts["class"]), title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.Color("split:N", scale=scale, title=None),
            order="order:Q",
            tooltip=["class:N", "split:N", alt.Tooltip("images:Q", format=",d")],
        )
    )
    return style(chart, ROW * len(counts), "Images of each class in the training, validation and test split")


def pixel_values(histogram: pd.DataFrame, normalization: Normalization) -> Chart:
    """Draw the frequency of each pixel value, from `pixel_histogram`, with the normalized value below the raw one."""
    normalized = f"format((datum.value - {normalization.offset!r}) / {normalization.scale!r}, '.2f')"
    chart = (
        alt.Chart(histogram.round(6))
        .mark_bar(color=BLUE, binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="pixel value before and, below, after normalization",
                scale=alt.Scale(domain=[0, 256], nice=False),
                axis=alt.Axis(
                    values=[0, 64, 128, 192, 255], labelExpr=f"[format(datum.value, 'd'), {normalized}]", grid=False
                ),
            ),
            x2="high:Q",
            y=alt.Y(
                "fraction:Q",
                title="fraction of training pixels",
                scale=alt.Scale(type="sqrt"),
                axis=alt.Axis(format=".0%", tickCount=5),
            ),
            tooltip=["low:Q", "high:Q", alt.Tooltip("fraction:Q", format=".2%")],
        )
    )
    return style(chart, 240, "Frequency of each pixel value from 0 to 255 in the training images")
