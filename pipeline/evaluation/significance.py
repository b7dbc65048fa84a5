"""Pairwise tests of all models with Holm's correction, the rank ranges they imply, and variance components."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import sqrt
from typing import Literal

import networkx
import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, t

SIGNIFICANCE = 0.05
NORMAL = 1.96  # standard deviations within which 95 % of a normal distribution lie

Correct = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """An estimated variance and its degrees of freedom."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class Comparison:
    """The test of two models: difference of the mean accuracies (first - second), standard error, two-sided p-value."""

    difference: float
    standard_error: float
    p_value: float
    test: Literal["t-test", "McNemar"]


def pooled_seed_variance(correct: Sequence[Correct]) -> Estimate | None:
    """Average the variances of accuracy between seeds over the models that have several.

    It stands in for the seed variance of a model with a single seed, which cannot be estimated from that model. The
    degrees of freedom are Satterthwaite's for a mean of independent variances.

    Args:
        correct: Which of the same images the seeds of each model classify correctly, bool (seeds, n) each.

    Returns:
        The estimate, or None if no model has two seeds.
    """
    repeated = [(one.mean(axis=1).var(ddof=1), len(one) - 1) for one in correct if len(one) > 1]
    if not repeated:
        return None
    total = sum(variance for variance, _ in repeated)
    spread = sum(variance**2 / freedom for variance, freedom in repeated)
    freedom = total**2 / spread if spread else sum(freedom for _, freedom in repeated)
    return Estimate(float(total) / len(repeated), float(freedom))


def compare(first: Correct, second: Correct, pooled: Estimate | None = None) -> Comparison:
    """Test whether the accuracies of two models differ beyond chance.

    A t-test over seeds and images. The standard error adds up how much the difference varies over the images, as in a
    paired test, and over the seeds of each model, as in Welch's test. The degrees of freedom are Satterthwaite's. This
    is the random-effects analysis of readers and cases by which radiology compares diagnostic methods: a seed is a
    reader, an image is a case (Hillis, A marginal-mean ANOVA approach for analyzing multireader multicase radiological
    imaging data, 2014). The interaction of seeds and images is in both terms, so the test errs on the side of caution.

    A model with a single seed gets the `pooled` variance. Without one, its training variance is left out, and two
    models with a single seed each are compared by McNemar's exact test. Of a model with two seeds the variance is
    hardly known, and the test is wrong somewhat more often than its level.

    Resampling the seeds would not do: five are too few for p-values that survive a correction for many pairs.

    Args:
        first: Which images the first model's seeds classify correctly, bool (seeds, n).
        second: The same for the second model.
        pooled: Seed variance of a model with a single seed, from `pooled_seed_variance`.

    Returns:
        The comparison.
    """
    per_image = first.mean(axis=0) - second.mean(axis=0)
    images = len(per_image)
    terms = [Estimate(float(per_image.var()) / max(images - 1, 1), images - 1)]
    terms += [
        Estimate(float(one.mean(axis=1).var(ddof=1)) / len(one), len(one) - 1)
        for one in (first, second)
        if len(one) > 1
    ]
    single = [one for one in (first, second) if len(one) == 1]
    if pooled is not None and single:
        terms.append(Estimate(len(single) * pooled.variance, pooled.freedom))  # one estimate, used once or twice
    difference, variance = float(per_image.mean()), sum(term.variance for term in terms)
    if pooled is None and len(single) == 2:
        return Comparison(difference, sqrt(variance), _mcnemar(first[0], second[0]), "McNemar")
    return Comparison(difference, sqrt(variance), _t_test(difference, terms), "t-test")


def _t_test(difference: float, terms: Sequence[Estimate]) -> float:
    variance = sum(term.variance for term in terms)
    if variance == 0:
        return float(difference == 0)
    freedom = variance**2 / sum(term.variance**2 / term.freedom for term in terms if term.variance)
    return float(2 * t.sf(abs(difference) / sqrt(variance), freedom))


def _mcnemar(first: Correct, second: Correct) -> float:
    """Test the images (n,) on which the two differ: if neither were better, each would win one with probability 1/2."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differing = only_first + only_second
    return float(binomtest(only_first, differing).pvalue) if differing else 1.0


@dataclass(frozen=True)
class Pair:
    """Two models by their indices, their comparison, and the p-value corrected for the number of pairs."""

    first: int
    second: int
    comparison: Comparison
    corrected: float

    @property
    def significant(self) -> bool:
        """True if the accuracies differ beyond chance."""
        return self.corrected < SIGNIFICANCE


@dataclass(frozen=True)
class Ranking:
    """All pairs of the models, in the order of `itertools.combinations`."""

    models: int
    pairs: Sequence[Pair]

    def rank_range(self, model: int) -> tuple[int, int]:
        """Return the best and the worst rank of a model, given the models that are significantly better and worse.

        All ranges hold at once with 95 % probability, because with that probability no pair is wrongly significant
        (Mogstad, Romano, Shaikh and Wilhelm, Inference for Ranks with Applications to Mobility across Neighbourhoods
        and Academic Achievement across Countries, 2024).
        """
        signs = [
            np.sign(pair.comparison.difference) * (1 if pair.first == model else -1)
            for pair in self.pairs
            if pair.significant and model in (pair.first, pair.second)
        ]
        return 1 + signs.count(-1), self.models - signs.count(1)

    def tied_with(self, model: int) -> list[int]:
        """Return the models whose accuracy does not differ significantly from this one's."""
        return sorted(self._ties.neighbors(model))

    @property
    def groups(self) -> list[list[int]]:
        """The largest groups of two or more models without a significant difference. A model may be in several."""
        return sorted(sorted(group) for group in networkx.find_cliques(self._ties) if len(group) > 1)

    @cached_property
    def _ties(self) -> networkx.Graph:
        """An edge between each two models without a significant difference."""
        graph = networkx.empty_graph(self.models)
        graph.add_edges_from((pair.first, pair.second) for pair in self.pairs if not pair.significant)
        return graph


def rank(correct: Sequence[Correct]) -> Ranking:
    """Compare each two models by which images their seeds classify correctly, bool (seeds, n) each."""
    pooled = pooled_seed_variance(correct)
    indices = list(combinations(range(len(correct)), 2))
    found = [compare(correct[first], correct[second], pooled) for first, second in indices]
    corrected = holm(np.array([comparison.p_value for comparison in found]))
    pairs = [Pair(*pair, comparison, float(p)) for pair, comparison, p in zip(indices, found, corrected, strict=True)]
    return Ranking(len(correct), pairs)


def holm(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Correct p-values (n,) for their number: the chance that any of them is wrongly below 0.05 is 5 % at most.

    Holm, A simple sequentially rejective multiple test procedure (1979). It assumes nothing about the dependence of the
    tests.

    >>> holm(np.array([0.01, 0.04, 0.03]))  # 3 * 0.01; 0.04, but not below its predecessor; 2 * 0.03
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


@dataclass(frozen=True)
class VarianceComponents:
    """The components of the variance of the test accuracy of one training.

    `images`: between samples of test images, for one trained model. `seed`: between the accuracies that trainings of
    one model would show on infinitely many images. `architecture`: between the models that are compared. Their sum is
    the variance of a training of a random model on random images.

    `seed_on_test_set` is the variance between trainings of one model on the given test images. It is larger than `seed`
    by the interaction of seeds and single images. Both are None if no model has two seeds. `architecture` is None for a
    single model.
    """

    images: float
    seed: float | None
    seed_on_test_set: float | None
    architecture: float | None

    @property
    def repeatability_limit(self) -> float | None:
        """The accuracy difference that two trainings of one model stay within 95 % of the time (ISO 5725).

        Both are tested on the same images. Accuracies are assumed to be normally distributed.
        """
        return None if self.seed_on_test_set is None else NORMAL * sqrt(2 * self.seed_on_test_set)


def variance_components(correct: Sequence[Correct], ranking: Ranking) -> VarianceComponents:
    """Estimate the variance components from which images the seeds of each model classify correctly.

    The seed's is estimated as in an analysis of variance of seeds and images, both random (Searle, Casella and
    McCulloch, Variance Components, 1992, chapter 4), and averaged over the models with two or more seeds. The
    architecture's is half the mean squared difference of two models, less what chance adds to it. A negative estimate
    counts as 0.

    Args:
        correct: Bool (seeds, n) for each model.
        ranking: The comparison of these models, from `rank`.

    Returns:
        The components.
    """
    images = correct[0].shape[1]
    accuracies = np.concatenate([one.mean(axis=1) for one in correct])
    sampling = float(np.mean(accuracies * (1 - accuracies)) / max(images - 1, 1))
    repeated = [one for one in correct if len(one) > 1]
    squares = [pair.comparison.difference**2 - pair.comparison.standard_error**2 for pair in ranking.pairs]
    architecture = max(float(np.mean(squares)) / 2, 0.0) if squares else None
    pooled = pooled_seed_variance(correct)
    if pooled is None:
        return VarianceComponents(sampling, None, None, architecture)
    interaction = float(np.mean([_interaction_variance(one) for one in repeated]))
    seed = max(pooled.variance - interaction / images, 0.0)
    return VarianceComponents(sampling, seed, pooled.variance, architecture)


def _interaction_variance(correct: Correct) -> float:
    """Estimate the variance of (seeds, n) that is left without the means of seeds and images."""
    rest = correct - correct.mean(axis=1, keepdims=True) - correct.mean(axis=0) + correct.mean()
    seeds, images = correct.shape
    return float(np.sum(rest**2) / ((seeds - 1) * max(images - 1, 1)))
