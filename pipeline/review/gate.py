"""Whether the candidate is good enough to be merged."""

from argparse import ArgumentTypeError
from dataclasses import dataclass
from typing import Literal

from pipeline.review.scores import Score

Drop = float | Literal["interval", "none"]


@dataclass(frozen=True)
class Verdict:
    """Whether the gate lets the branch pass, and the sentence that says what was compared."""

    passed: bool
    sentence: str


def allowed_drop(text: str) -> Drop:
    """Read the option: "interval", "none" or percentage points."""
    if text in ("interval", "none"):
        return text  # type: ignore[return-value]  # mypy does not narrow to the literals
    try:
        points = float(text)
    except ValueError:
        points = -1
    if not 0 <= points <= 100:
        raise ArgumentTypeError(f"found {text!r}, expected interval, none or percentage points from 0 to 100")
    return points


def judge(f1: Score, allowed: Drop) -> Verdict:
    """Compare the candidate's macro F1 on the test images with the lowest that is allowed.

    "interval" allows what lies within the base's 95 % interval; a number allows a drop of as many percentage points;
    "none" allows all.
    """
    if allowed == "none":
        return Verdict(True, "The gate is off.")
    if f1.here is None:
        return Verdict(False, "The candidate has no macro F1 on the test images here.")
    if f1.base is None or f1.low is None:
        return Verdict(True, "The base has no candidate whose macro F1 and interval this one could be compared with.")
    if allowed == "interval":
        lowest, why = f1.low, "the lower end of the base's 95 % interval"
    else:
        lowest, why = f1.base - allowed / 100, f"{allowed:g} points below the base"
    passed = f1.here >= lowest
    return Verdict(
        passed,
        f"The candidate's macro F1 on the test images is {100 * f1.here:.2f} % (base: {100 * f1.base:.2f} %), "
        f"{'not below' if passed else 'below'} {100 * lowest:.2f} %, {why}.",
    )
