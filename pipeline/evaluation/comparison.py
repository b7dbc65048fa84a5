"""Whether one of two models is better, or only luckier: with its test images, and with its seeds."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, t

Right = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """The difference of two models' mean accuracies, first less second, its standard error, a two-sided p-value."""

    difference: float
    standard_error: float
    p_value: float


def compare(first: Right, second: Right) -> Comparison:
    """Compare two models by which of the same images their seeds get right, bool (seeds, n) each.

    Where both have one seed, the p-value is McNemar's exact one. Else it is that of a t-test: the standard error puts
    together how much the difference varies over the images, as in a paired test, and over the seeds of each model, as
    in Welch's test, and so do the degrees of freedom by Satterthwaite's formula. This is the random-effects analysis of
    readers and cases by which radiology compares diagnostic methods, a seed being a reader and an image a case (Hillis,
    A marginal-mean ANOVA approach for analyzing multireader multicase radiological imaging data, 2014). What a seed
    makes of single images is in both parts, which errs on the side of caution. Of a model with two seeds, the variance
    is hardly known, and the test is wrong somewhat more often than it says; of one with a single seed, the chance of
    training is left out.

    Resampling the seeds would not do: of five there are too few for p-values that survive a correction for many pairs.
    """
    difference, variance, freedom = _difference(first, second)
    one_each = len(first) == len(second) == 1
    p_value = _mcnemar(first[0], second[0]) if one_each else _student(difference, variance, freedom)
    return Comparison(difference, sqrt(variance), p_value)


def _difference(first: Right, second: Right) -> tuple[float, float, float]:
    """The difference of the mean accuracies, its variance and the variance's degrees of freedom."""
    images = first.shape[1]
    of_image = first.mean(axis=0) - second.mean(axis=0)
    parts = [(of_image.var() / max(images - 1, 1), images - 1)]
    for right in (first, second):
        seeds = len(right)
        if seeds > 1:
            parts.append((right.mean(axis=1).var(ddof=1) / seeds, seeds - 1))
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / freedom for part, freedom in parts if part)
    return float(of_image.mean()), float(variance), float(variance**2 / spread) if spread else 0.0


def _student(difference: float, variance: float, freedom: float) -> float:
    if variance == 0:
        return float(difference == 0)
    return float(2 * t.sf(abs(difference) / sqrt(variance), freedom))


def _mcnemar(first: Right, second: Right) -> float:
    """The images (n,) on which the two differ: were neither better, each would win one with probability 1/2."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differing = only_first + only_second
    return float(binomtest(only_first, differing).pvalue) if differing else 1.0
