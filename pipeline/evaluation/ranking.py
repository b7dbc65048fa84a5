"""Which of several models are better than which, of all pairs at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import networkx
import numpy as np
import numpy.typing as npt

from pipeline.evaluation.comparison import Comparison, Right, compare

LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two of the models by their places, how they compare, and the p-value corrected for the number of pairs."""

    first: int
    second: int
    comparison: Comparison
    corrected: float

    @property
    def told_apart(self) -> bool:
        """Whether one of the two is better beyond chance."""
        return self.corrected < LEVEL


@dataclass(frozen=True)
class Ranking:
    """All pairs of the models, in the order of `itertools.combinations`."""

    models: int
    pairs: Sequence[Pair]

    def range_of(self, model: int) -> tuple[int, int]:
        """The best and the worst rank that a model may have: it comes after all that are better beyond chance.

        All ranges hold at once with 95 % probability, as no pair is told apart wrongly with that probability (Mogstad,
        Romano, Shaikh and Wilhelm, Inference for Ranks with Applications to Mobility across Neighbourhoods and Academic
        Achievement across Countries, 2024).
        """
        signs = [
            np.sign(pair.comparison.difference) * (1 if pair.first == model else -1)
            for pair in self.pairs
            if pair.told_apart and model in (pair.first, pair.second)
        ]
        return 1 + signs.count(-1), self.models - signs.count(1)

    def not_told_apart_from(self, model: int) -> list[int]:
        """The models of which it cannot be said whether this one is better."""
        return sorted(self._together.neighbors(model))

    @property
    def groups(self) -> list[list[int]]:
        """The largest groups of two or more models of which no two are told apart; a model may be in several."""
        return sorted(sorted(group) for group in networkx.find_cliques(self._together) if len(group) > 1)

    @cached_property
    def _together(self) -> networkx.Graph:
        """An edge between each two models that are not told apart."""
        graph = networkx.empty_graph(self.models)
        graph.add_edges_from((pair.first, pair.second) for pair in self.pairs if not pair.told_apart)
        return graph


def rank(right: Sequence[Right]) -> Ranking:
    """Compare each two models by which images their seeds get right, bool (seeds, n) each."""
    places = list(combinations(range(len(right)), 2))
    found = [compare(right[first], right[second]) for first, second in places]
    corrected = holm(np.array([comparison.p_value for comparison in found]))
    pairs = [Pair(*place, comparison, float(p)) for place, comparison, p in zip(places, found, corrected, strict=True)]
    return Ranking(len(right), pairs)


def holm(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """P-values (n,) corrected for their number, so that one below 0.05 is wrong by chance in one family of 20.

    Holm, A simple sequentially rejective multiple test procedure (1979); it asks nothing of how the tests depend.

    >>> holm(np.array([0.01, 0.04, 0.03]))  # 3 * 0.01; 0.04, but not below its forerunner; 2 * 0.03
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected
