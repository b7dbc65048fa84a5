"""What the page knows of the models: numbers for its tables, and every mistake on the test images."""

from base64 import b64encode
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.calibration import expected_calibration_error, reliability
from pipeline.evaluation.comparison import compare
from pipeline.evaluation.confusion import per_class_table
from pipeline.evaluation.predictions import Predictions
from pipeline.report.page.sprites import Sprites
from pipeline.report.results import Result

STEPS = 255  # a probability travels as one byte, which is right to 0.2 per cent


def encoded(numbers: npt.NDArray[np.integer], dtype: str) -> str:
    """Numbers as base64 of little-endian bytes, which the page's script reads as a typed array."""
    return b64encode(np.ascontiguousarray(numbers, dtype=dtype).tobytes()).decode()


def mistakes(test: Predictions) -> npt.NDArray[np.int64]:
    """Numbers of the test images that are predicted wrong, the most confident mistake first, int64 (n,)."""
    wrong = np.flatnonzero(test.predicted != test.labels)
    return wrong[np.argsort(-test.probabilities[wrong].max(axis=1), kind="stable")]


def model_data(result: Result, test: Predictions, sprites: Sprites) -> dict[str, Any]:
    """One model for the page's script.

    ``mistakes`` are positions in the picture, uint32 (n,); ``predicted`` uint8 (n,); ``probabilities`` uint8
    (n, classes), 255 for certainty.
    """
    wrong = mistakes(test)
    averages = {name: value for name, value in result.test_scores.items() if name.endswith(("macro", "weighted"))}
    return {
        "name": result.name,
        "accuracy": result.test_scores["accuracy"],
        "calibrationError": expected_calibration_error(reliability(test.labels, test.probabilities)),
        "confusion": result.confusion.tolist(),
        "perClass": per_class_table(result.actual, result.predicted, result.classes).to_dict("records"),
        "averages": averages,
        "mistakes": encoded(sprites.positions("test", wrong), "<u4"),
        "predicted": encoded(test.predicted[wrong], "u1"),
        "probabilities": encoded(np.round(test.probabilities[wrong] * STEPS), "u1"),
    }


def comparisons(results: Sequence[Result]) -> list[dict[str, Any]]:
    """McNemar's test for each two models, by their places in `results`."""
    right = [result.actual == result.predicted for result in results]
    pairs = []
    for first, second in combinations(range(len(results)), 2):
        found = compare(right[first], right[second])
        counts = {"onlyFirst": found.only_first, "onlySecond": found.only_second, "pValue": found.p_value}
        pairs.append({"first": first, "second": second} | counts)
    return pairs
