"""What the measured trainings say: ratios within a round, a table and a figure."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.page import markdown, seconds, spread
from pipeline.report.figures.png import BLUE, ORANGE, plain

NAMES = {"keras": "Keras", "pytorch": "PyTorch", "pipeline": "pipeline"}
ALL = "all"


def with_sums(trainings: pd.DataFrame) -> pd.DataFrame:
    """`trainings` and, for each round and way, a row of model ``all``: one epoch of each model, the most memory."""
    sums = trainings.groupby(["round", "way"], as_index=False, sort=False).agg(
        seconds_per_epoch=("seconds_per_epoch", "sum"),
        operations_per_epoch=("operations_per_epoch", "sum"),
        measured_peak=("measured_peak", "first"),
        peak_memory=("peak_memory", "max"),
    )
    return pd.concat([trainings, sums.assign(model=ALL)], ignore_index=True)


def ratios(trainings: pd.DataFrame, model: str, other: str) -> list[float]:
    """Seconds of the pipeline by those of `other`, one ratio a round, each of the two in the same round."""
    of_model = trainings[trainings["model"] == model]
    by_way = of_model.pivot_table(index="round", columns="way", values="seconds_per_epoch")
    found: list[float] = (by_way["pipeline"] / by_way[other]).tolist()
    return found


def comparison_markdown(trainings: pd.DataFrame) -> str:
    """The table: a row a model, in the order of `trainings`, then one over all of them.

    `trainings` has a row a training: round, model, way (``keras``, ``pytorch``, ``pipeline``), seconds_per_epoch,
    operations_per_epoch, measured_peak (operations a second) and peak_memory (MB).
    """
    whole = with_sums(trainings)
    whole["share_of_peak"] = whole["operations_per_epoch"] / whole["seconds_per_epoch"] / whole["measured_peak"]
    ways = [way for way in NAMES if way in set(whole["way"])]
    rows = []
    for model in whole["model"].unique():
        of_model = whole[whole["model"] == model].groupby("way")
        medians = of_model[["seconds_per_epoch", "share_of_peak"]].median()
        memory = of_model["peak_memory"].max()
        rows.append(
            {"Model": f"`{model}`" if model != ALL else "all, one epoch each"}
            | {f"{NAMES[way]}, s": seconds(medians["seconds_per_epoch"][way]) for way in ways}
            | {f"pipeline / {NAMES[way]}": spread(ratios(whole, model, way)) for way in ways if way != "pipeline"}
            | {"Share of peak, %": " / ".join(f"{100 * medians['share_of_peak'][way]:.0f}" for way in ways)}
            | {"Memory, MB": " / ".join(f"{memory[way]:.0f}" for way in ways)}
        )
    order = ", ".join(NAMES[way] for way in ways)
    return f"{markdown(rows)}\nShare of peak and memory are of {order}.\n"


def comparison_figure(trainings: pd.DataFrame) -> Figure:
    """The ratios as bars, least to most as a line on each."""
    whole = with_sums(trainings)
    models = list(whole["model"].unique())
    others = [way for way in NAMES if way != "pipeline" and way in set(whole["way"])]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(others)
    for number, (way, colour) in enumerate(zip(others, (BLUE, ORANGE), strict=False)):
        found = [ratios(whole, model, way) for model in models]
        heights = np.array([np.median(of_model) for of_model in found])
        below, above = heights - [min(of_model) for of_model in found], [max(of_model) for of_model in found] - heights
        positions = np.arange(len(models)) + (number - (len(others) - 1) / 2) * width
        axes.bar(positions, heights, width, yerr=[below, above], color=colour, capsize=2, label=f"of {NAMES[way]}")
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xticks(range(len(models)), models, rotation=30, ha="right")
    axes.set_ylabel("the pipeline's time an epoch, as a share")
    plain(axes)
    figure.legend(loc="outside upper center", ncols=len(others), frameon=False)
    return figure
