"""How much of a difference in accuracy is the test images, the seed, the architecture."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from pipeline.evaluation.comparison import Right
from pipeline.evaluation.ranking import Ranking

NORMAL = 1.96  # standard deviations within which lie 95 % of a normal distribution


@dataclass(frozen=True)
class Variance:
    """The variance of the test accuracy of one training, in its parts.

    `images`: had other test images been drawn, for the same trained model. `seed`: between the accuracies that
    trainings of one model would show on endlessly many images. `architecture`: between the models that are compared.
    Their sum is that of a training of a model taken at random on images taken at random.

    `seed_here` is the variance between trainings of one model on the test images that there are, which is larger
    than `seed` by what they make of single images. Both are None where no model has two seeds, and `architecture` where
    there is one model.
    """

    images: float
    seed: float | None
    seed_here: float | None
    architecture: float | None

    @property
    def seed_reach(self) -> float | None:
        """How far apart, at most, two trainings of one model are on the same test images in 19 of 20 cases.

        It takes accuracies to be normally distributed.
        """
        return None if self.seed_here is None else NORMAL * sqrt(2 * self.seed_here)


def divide_variance(right: Sequence[Right], ranking: Ranking) -> Variance:
    """Divide the variance, from which images the seeds of each model get right, bool (seeds, n) each.

    The seed's is estimated as in an analysis of variance of seeds and images, both random (Searle, Casella and
    McCulloch, Variance Components, 1992, chapter 4), and is the mean over the models with two or more seeds. The
    architecture's is half the mean squared difference of two models, less what chance adds to it. An estimate below
    nothing counts as 0.
    """
    images = right[0].shape[1]
    accuracies = np.concatenate([one.mean(axis=1) for one in right])
    sampling = float(np.mean(accuracies * (1 - accuracies)) / max(images - 1, 1))
    repeated = [one for one in right if len(one) > 1]
    squares = [pair.comparison.difference**2 - pair.comparison.standard_error**2 for pair in ranking.pairs]
    architecture = max(float(np.mean(squares)) / 2, 0.0) if squares else None
    if not repeated:
        return Variance(sampling, None, None, architecture)
    here = float(np.mean([one.mean(axis=1).var(ddof=1) for one in repeated]))
    single = float(np.mean([_of_single_images(one) for one in repeated]))
    return Variance(sampling, max(here - single / images, 0.0), here, architecture)


def _of_single_images(right: Right) -> float:
    """The variance of what is left of (seeds, n) when the means of seeds and images are taken out."""
    left = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
    seeds, images = right.shape
    return float(np.sum(left**2) / ((seeds - 1) * max(images - 1, 1)))
