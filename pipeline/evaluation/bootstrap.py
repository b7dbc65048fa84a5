"""Bootstrap confidence intervals for accuracy and macro F1, resampling test images and seeds."""

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
SEED = 0
BATCH = 500  # resamples held in memory at a time
CONFIDENCE = 0.95


def bootstrap_intervals(
    actual: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: int
) -> dict[str, float]:
    """Compute 95 % percentile intervals for the seeds' mean accuracy and macro F1.

    A resample draws as many test images as there are, with replacement, and as many seeds. The interval lies between
    the 2.5th and 97.5th percentiles of 10,000 resamples (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13). All seeds of a resample share the same images: rows and columns of the table of seeds and images are
    drawn independently (Owen, The pigeonhole bootstrap, 2007). With two or three seeds that differ much, the interval
    is too short.

    With a single seed only the images are resampled. The interval then covers the choice of test images for this
    trained model. It does not cover training variance.

    The scores depend on the images only through the count of each pattern of actual and predicted classes. Draws are
    independent, so these counts follow a multinomial distribution exactly. It is drawn directly, without the images.

    Args:
        actual: Labels of at least one image, (n,).
        predicted: Classes that each seed predicts, (seeds, n).
        classes: Number of classes.

    Returns:
        `accuracy` and `f1_macro`, each with the suffixes `_low` and `_high`.
    """
    patterns, numbers = np.unique(np.column_stack([actual, predicted.T]), axis=0, return_counts=True)
    hit, wanted, given = _indicators(patterns, classes)
    seeds, images = predicted.shape
    generator = np.random.default_rng(SEED)
    resampled = []
    for _ in range(RESAMPLES // BATCH):
        counts = generator.multinomial(images, numbers / images, size=BATCH).astype(np.float32)
        drawn = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=BATCH)
        hits = np.tensordot(counts, hit, axes=1).astype(np.float64)
        of_class = (counts @ wanted)[:, np.newaxis] + np.tensordot(counts, given, axes=1)
        f1 = (2 * hits / np.maximum(of_class, 1)).mean(axis=2)  # F1 of an absent class is 0
        each = np.stack([hits.sum(axis=2) / images, f1])
        resampled.append((each * drawn).sum(axis=2) / seeds)
    tail = (1 - CONFIDENCE) / 2
    (accuracy_low, f1_low), (accuracy_high, f1_high) = np.quantile(np.hstack(resampled), [tail, 1 - tail], axis=1)
    return {
        "accuracy_low": float(accuracy_low),
        "accuracy_high": float(accuracy_high),
        "f1_macro_low": float(f1_low),
        "f1_macro_high": float(f1_high),
    }


def _indicators(patterns: npt.NDArray[np.integer], classes: int) -> tuple[npt.NDArray[np.float32], ...]:
    """Mark for each pattern (n, 1 + seeds) whether it is a hit, is of a class, and is predicted as a class.

    The shapes are (n, seeds, classes), (n, classes) and (n, seeds, classes), all float32. Their sums are exact up to 16
    million images.
    """
    of_class = np.eye(classes, dtype=np.float32)[patterns]
    wanted, given = of_class[:, 0], of_class[:, 1:]
    return wanted[:, np.newaxis] * given, wanted, given
