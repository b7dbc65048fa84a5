"""Charts that compare models, as Vega-Lite by Altair."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from pipeline.evaluation.confusion import per_class_table
from pipeline.report.page.chart_style import BLUE, INK, MUTED, ORANGE, ROW, Chart, finished
from pipeline.report.results import Result, TrainedResult


def accuracies(table: pd.DataFrame) -> Chart:
    """Test accuracy of each model with its interval, the best first, and the source's claim; from `results_table`."""
    columns = ["model", "accuracy", "accuracy_low", "accuracy_high", "claimed_accuracy"]
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
    claim = base.mark_point(shape="diamond", size=70, strokeWidth=2, opacity=1, color=ORANGE).encode(
        x=alt.X("claimed_accuracy:Q"), tooltip=tips
    )
    description = "Test accuracy of each model with its 95 % interval, beside what the source claims"
    layers = [interval, point, claim] if rows["claimed_accuracy"].notna().any() else [interval, point]
    return finished(alt.layer(*layers), ROW * len(order), description)


def seed_differences(results: Sequence[TrainedResult]) -> Chart:
    """How far each seed's test accuracy is from its model's mean, in points, with the interval of the mean."""
    seeds, intervals = [], []
    for result in results:
        scores = result.test_scores
        ends = {end: 100 * (scores[f"accuracy_{end}"] - scores["accuracy"]) for end in ("low", "high")}
        intervals.append({"model": result.name, **ends})
        for run, accuracy in zip(result.run.seeds, result.right.mean(axis=1), strict=True):
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
    return finished(
        alt.layer(interval, points), ROW * len(order), "Test accuracy of each seed against its model's mean"
    )


def reliability_diagram(tables: Mapping[str, pd.DataFrame], model: str) -> Chart:
    """Accuracy against confidence of each bin, from `reliability`; the script sets `model`."""
    rows = pd.concat([table.round(5).assign(model=name) for name, table in tables.items()])
    share = alt.Scale(domain=[0, 1])
    base = alt.Chart(rows).transform_filter("datum.model == model")
    tips = [
        *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("low", "high", "confidence", "accuracy")),
        alt.Tooltip("images:Q", format=","),
    ]
    x = alt.X("confidence:Q", scale=share, title="confidence", axis=alt.Axis(format="%", tickCount=5, grid=False))
    y = alt.Y("accuracy:Q", scale=share, title="accuracy", axis=alt.Axis(format="%", tickCount=5))
    ideal = (
        alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
        .mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1)
        .encode(x=x, y=y)
    )
    gap = base.mark_rule(color=ORANGE, strokeWidth=2).encode(x=x, y=alt.Y("confidence:Q"), y2="accuracy:Q")
    size = alt.Size("images:Q", legend=None, scale=alt.Scale(range=[30, 500], zero=True))
    points = base.mark_point(filled=True, opacity=0.9, color=BLUE).encode(x=x, y=y, size=size, tooltip=tips)
    chart = alt.layer(ideal, gap, points).add_params(alt.param(name="model", value=model))
    return finished(chart, 300, "Reliability diagram: accuracy against confidence of the chosen model")


def class_scores(results: Sequence[Result], model: str) -> Chart:
    """Precision, recall and F1 on the test images by class; the script sets `model`."""
    classes = results[0].classes
    rows = pd.concat(
        [
            per_class_table(result.actual, result.predicted, classes).round(5).assign(model=result.name)
            for result in results
        ]
    )
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
    return finished(chart, ROW * len(classes), "Precision, recall and F1 of each class for the chosen model")


def class_differences(classes: Sequence[str]) -> Chart:
    """Difference of two models' recall by class; the script fills the data set `differences`."""
    none = [{"class": name, "difference": 0} for name in classes]
    chart = (
        alt.Chart(alt.InlineData(values=none, name="differences"))
        .mark_bar(cornerRadius=2)
        .encode(
            x=alt.X(
                "difference:Q",
                title="difference of recall, in points",
                axis=alt.Axis(format="+.1f", tickCount=7),
            ),
            y=alt.Y("class:N", sort=list(classes), title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=alt.when("datum.difference > 0").then(alt.value(BLUE)).otherwise(alt.value(ORANGE)),
            tooltip=["class:N", alt.Tooltip("difference:Q", format="+.2f", title="points")],
        )
    )
    return finished(chart, ROW * len(classes), "How much more of each class the first model gets right than the second")
