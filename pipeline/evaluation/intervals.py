"""How far accuracy and macro F1 might have come out otherwise with other test images."""

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
SEED = 0
BATCH = 500  # resamples held in memory at a time
LEVEL = 0.95


def bootstrap_intervals(confusion: npt.NDArray[np.integer]) -> dict[str, float]:
    """Percentile bootstrap intervals at 95 % of accuracy and macro F1: each one's `_low` and `_high`.

    Takes the confusion matrix (classes, classes) of at least one image, actual classes in rows. The method is that of
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13: draw as many test images as there are,
    with replacement, compute the figure, repeat, and take the 2.5th and 97.5th percentiles.

    Both figures depend on the images only through the number in each cell of the confusion matrix. An image drawn at
    random lies in a cell with the probability of that cell's share, and draws are independent, so the cells of a
    resample follow exactly a multinomial distribution: it is drawn directly, without touching the images.

    The intervals are those of one trained model. They say nothing of how another seed would have trained.
    """
    images = int(confusion.sum())
    shares = confusion.ravel() / images
    generator = np.random.default_rng(SEED)
    resampled = np.concatenate(
        [
            _figures(generator.multinomial(images, shares, size=BATCH).reshape(BATCH, *confusion.shape))
            for _ in range(RESAMPLES // BATCH)
        ]
    )
    tail = (1 - LEVEL) / 2
    (accuracy_low, f1_low), (accuracy_high, f1_high) = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return {
        "accuracy_low": float(accuracy_low),
        "accuracy_high": float(accuracy_high),
        "f1_macro_low": float(f1_low),
        "f1_macro_high": float(f1_high),
    }


def _figures(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Accuracy and macro F1 of each matrix, (n, 2) from (n, classes, classes); F1 of an absent class is 0."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    actual_and_predicted = confusion.sum(axis=2) + confusion.sum(axis=1)
    f1 = 2 * hits / np.maximum(actual_and_predicted, 1)
    accuracy = hits.sum(axis=1) / confusion.sum(axis=(1, 2))
    return np.stack([accuracy, f1.mean(axis=1)], axis=1)
