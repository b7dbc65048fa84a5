"""What the page knows of the models: numbers for its tables, and every mistake on the test images."""

from base64 import b64encode
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.calibration import expected_calibration_error, reliability
from pipeline.evaluation.confusion import per_class_table
from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.ranking import Ranking
from pipeline.report.page.sprites import Sprites
from pipeline.report.results import Result, TrainedResult

STEPS = 255  # a probability travels as one byte, which is right to 0.2 per cent


def encoded(numbers: npt.NDArray[np.integer], dtype: str) -> str:
    """Numbers as base64 of little-endian bytes, which the page's script reads as a typed array."""
    return b64encode(np.ascontiguousarray(numbers, dtype=dtype).tobytes()).decode()


def mistakes(test: Predictions) -> npt.NDArray[np.int64]:
    """Numbers of the test images that are predicted wrong, the most confident mistake first, int64 (n,)."""
    wrong = np.flatnonzero(test.predicted != test.labels)
    return wrong[np.argsort(-test.probabilities[wrong].max(axis=1), kind="stable")]


def model_data(result: Result, test: Predictions, sprites: Sprites) -> dict[str, Any]:
    """One model for the page's script, by its kept seed.

    ``mistakes`` are positions in the picture, uint32 (n,); ``predicted`` uint8 (n,); ``probabilities`` uint8
    (n, classes), 255 for certainty.
    """
    wrong = mistakes(test)
    averages = {name: value for name, value in result.kept_scores.items() if name.endswith(("macro", "weighted"))}
    return {
        "name": result.name,
        "accuracy": result.kept_scores["accuracy"],
        "seed": result.run.seed if isinstance(result, TrainedResult) else None,
        "seeds": len(result.right),
        "calibrationError": expected_calibration_error(reliability(test.labels, test.probabilities)),
        "confusion": result.confusion.tolist(),
        "perClass": per_class_table(result.actual, result.predicted, result.classes).to_dict("records"),
        "averages": averages,
        "mistakes": encoded(sprites.positions("test", wrong), "<u4"),
        "predicted": encoded(test.predicted[wrong], "u1"),
        "probabilities": encoded(np.round(test.probabilities[wrong] * STEPS), "u1"),
    }


def comparisons(ranking: Ranking) -> list[dict[str, Any]]:
    """How each two models compare, by their places in the results."""
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "difference": pair.comparison.difference,
            "standardError": pair.comparison.standard_error,
            "pValue": pair.comparison.p_value,
            "corrected": pair.corrected,
            "toldApart": pair.told_apart,
        }
        for pair in ranking.pairs
    ]
