"""The table of a sweep: one row a point."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.sweep.experiments import Outcome, Pruned


def sweep_table(results: Sequence[Outcome | Pruned], best: Outcome) -> pd.DataFrame:
    """Columns: the experiment, each setting, `state`, the validation accuracy, the epochs trained, whether it won.

    A pruned trial has no experiment and no accuracy. Nothing is from the test part.
    """
    return pd.DataFrame([_row(result) | {"winner": result is best} for result in results])


def _row(result: Outcome | Pruned) -> dict[str, Any]:
    settings = dict(result.point.settings)
    if isinstance(result, Outcome):
        epochs, accuracy = len(result.curves), result.validation_accuracy
        return {"experiment": result.point.name, **settings, "state": "finished", **_figures(accuracy, epochs)}
    return {"experiment": None, **settings, "state": "pruned", **_figures(None, result.epoch)}


def _figures(accuracy: float | None, epochs: int) -> dict[str, Any]:
    return {"validation_accuracy": accuracy, "epochs_trained": epochs}
