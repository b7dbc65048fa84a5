"""Predictions in words and as JSON."""

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.prediction.examples import Example


def as_text(example: Example, probabilities: npt.NDArray[np.float32], classes: Sequence[str]) -> str:
    """Name and prediction, whether it is right if that is known, and a line a class, the most probable first."""
    order = np.argsort(-probabilities, kind="stable")
    heading = f"{example.name}: {classes[order[0]]}"
    if example.label is not None:
        heading += " (right)" if example.label == order[0] else f" (wrong: it is {classes[example.label]})"
    elif example.source["inverted"]:
        heading += " (inverted)"
    width = max(map(len, classes))
    return "\n".join([heading, *(f"  {classes[i]:{width}}  {probabilities[i]:7.2%}" for i in order)])


def as_json(model: str, example: Example, probabilities: npt.NDArray[np.float32], classes: Sequence[str]) -> str:
    """One JSON object on one line, in ASCII.

    Its keys: model; index, or file and inverted; actual if known; predicted; probabilities, of all classes by name.
    """
    actual = {} if example.label is None else {"actual": classes[example.label]}
    document = {"model": model, **example.source, **actual, "predicted": classes[int(probabilities.argmax())]}
    shares = dict(zip(classes, probabilities.tolist(), strict=True))
    return json.dumps(document | {"probabilities": shares}, allow_nan=False)
