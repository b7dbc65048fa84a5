"""Compare the measured trainings: the least of the rounds, ratios, a table and a figure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import gmean

from benchmarks.page import markdown, seconds
from pipeline.report.figures.style import BLUE, ORANGE, simplify

NAMES = {"keras": "Keras", "keras_50": "Keras, 50 steps per execution", "pytorch": "PyTorch", "pipeline": "pipeline"}
LIGHT_BLUE = "#56B4E9"


def least(trainings: pd.DataFrame, model: str, framework: str) -> float:
    """Return the least seconds per epoch over the rounds: what disturbs a training only adds to its time."""
    chosen = (trainings["model"] == model) & (trainings["framework"] == framework)
    return float(trainings.loc[chosen, "seconds_per_epoch"].min())


def ratio(trainings: pd.DataFrame, model: str, other: str) -> float:
    """Return the pipeline's least seconds divided by those of another framework."""
    return least(trainings, model, "pipeline") / least(trainings, model, other)


def ratio_range(trainings: pd.DataFrame, model: str, other: str) -> tuple[float, float]:
    """Return the least and the largest ratio of two trainings of the same round."""
    by_round = trainings[trainings["model"] == model].pivot_table(
        index="round", columns="framework", values="seconds_per_epoch"
    )
    ratios = by_round["pipeline"] / by_round[other]
    return float(ratios.min()), float(ratios.max())


def geometric_mean(trainings: pd.DataFrame, models: Sequence[str], other: str) -> float:
    """Return the geometric mean of the models' ratios, in which every model counts the same."""
    return float(gmean([ratio(trainings, model, other) for model in models]))


def comparison_markdown(trainings: pd.DataFrame) -> str:
    """Format the table: one row per model in the order of `trainings`, then the geometric means.

    `trainings` has one row per training: round, model, framework, images, seconds_per_epoch and peak_memory (MB).
    """
    models = list(trainings["model"].unique())
    frameworks = _frameworks(trainings)
    others = frameworks[:-1]
    rows = []
    for model in models:
        of_model = trainings[trainings["model"] == model]
        memory = of_model.groupby("framework")["peak_memory"].max()
        rows.append(
            {"Model": f"`{model}`", "Images": f"{of_model['images'].iloc[0]:,}"}
            | {f"{NAMES[name]}, s": seconds(least(trainings, model, name)) for name in frameworks}
            | {f"pipeline / {NAMES[name]}": _ratio_cell(trainings, model, name) for name in others}
            | {"Memory, MB": " / ".join(f"{memory[name]:.0f}" for name in frameworks)}
        )
    means = {f"pipeline / {NAMES[name]}": f"{geometric_mean(trainings, models, name):.2f}" for name in others}
    rows.append(dict.fromkeys(rows[0], "") | {"Model": "geometric mean"} | means)
    order = ", ".join(NAMES[name] for name in frameworks)
    return f"{markdown(rows)}\nMemory is in the order {order}.\n"


def comparison_figure(trainings: pd.DataFrame) -> Figure:
    """Draw the ratios as bars, with a line from the least to the largest ratio of a round."""
    models = list(trainings["model"].unique())
    others = _frameworks(trainings)[:-1]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(others)
    colours = {"keras": BLUE, "keras_50": LIGHT_BLUE, "pytorch": ORANGE}
    for number, other in enumerate(others):
        positions = np.arange(len(models)) + (number - (len(others) - 1) / 2) * width
        heights = [ratio(trainings, model, other) for model in models]
        axes.bar(positions, heights, width, color=colours[other], label=f"of {NAMES[other]}")
        for position, model in zip(positions, models, strict=True):
            axes.plot([position] * 2, ratio_range(trainings, model, other), color="black", linewidth=1)
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xticks(range(len(models)), models, rotation=30, ha="right")
    axes.set_ylabel("the pipeline's time per epoch, as a share")
    simplify(axes)
    figure.legend(loc="outside upper center", ncols=len(others), frameon=False)
    return figure


def _frameworks(trainings: pd.DataFrame) -> list[str]:
    """Return the frameworks that were measured, the pipeline last."""
    return [name for name in NAMES if name in set(trainings["framework"])]


def _ratio_cell(trainings: pd.DataFrame, model: str, other: str) -> str:
    low, high = ratio_range(trainings, model, other)
    return f"{ratio(trainings, model, other):.2f} ({low:.2f}–{high:.2f})"
