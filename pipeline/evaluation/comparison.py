"""Whether one of two models is better on the same images, or only luckier."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest


@dataclass(frozen=True)
class Comparison:
    """Images that one model alone gets right, and McNemar's exact two-sided p-value."""

    only_first: int
    only_second: int
    p_value: float


def compare(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Comparison:
    """Compare two models by which images they get right, each bool (n,).

    McNemar's test looks at the images on which they differ: were neither better, each would win such an image with
    probability 1/2.
    """
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing).pvalue) if differing else 1.0
    return Comparison(only_first, only_second, p_value)
