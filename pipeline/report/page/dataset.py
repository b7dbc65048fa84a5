"""What the page says of the data: its parts and pixels, labels that are doubtful, images that repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.dataset.duplicates import repeated_in_test
from pipeline.dataset.parts import Normalization, Part
from pipeline.evaluation.doubtful_labels import doubtful_labels
from pipeline.evaluation.predictions import Predictions
from pipeline.report.results import Result

SHOWN = 48  # pictures of doubtful labels a part, and of pairs; their number is always told
BINS = 32  # of the pixels' histogram, eight levels each


@dataclass(frozen=True)
class Doubtful:
    """Doubtful labels of one part: their number, and the first `SHOWN`, the most doubtful first.

    `numbers` are the images' in the part as predictions have it, `given` and `suggested` classes; each int64 (n,).
    """

    found: int
    of: int
    numbers: npt.NDArray[np.int64]
    given: npt.NDArray[np.int64]
    suggested: npt.NDArray[np.int64]
    given_probability: npt.NDArray[np.float32]
    suggested_probability: npt.NDArray[np.float32]


def doubtful(predictions: Predictions) -> Doubtful:
    """Find the doubtful labels of a part that the model was not trained on."""
    everything = doubtful_labels(predictions.labels, predictions.probabilities)
    shown = everything[:SHOWN]
    given, suggested = predictions.labels[shown].astype(np.int64), predictions.predicted[shown]
    probabilities = predictions.probabilities
    return Doubtful(
        len(everything),
        len(predictions.labels),
        shown,
        given,
        suggested,
        probabilities[shown, given],
        probabilities[shown, suggested],
    )


def images_per_class(parts: Mapping[str, Part], classes: Sequence[str]) -> pd.DataFrame:
    """Number of images by class (rows) and part (columns)."""
    counts = {name: np.bincount(part.labels, minlength=len(classes)) for name, part in parts.items()}
    return pd.DataFrame({"class": classes, **counts})


def pixel_ranges(parts: Mapping[str, Part], normalization: Normalization) -> list[dict[str, Any]]:
    """Smallest, largest and mean pixel and standard deviation of each part, before and after normalization."""
    rows = []
    for name, part in parts.items():
        pixels = part.images
        before = np.array([pixels.min(), pixels.max(), pixels.mean(), pixels.std(dtype=np.float32)])
        shift = np.array([normalization.offset] * 3 + [0])
        rows.append({"part": name, "before": before, "after": (before - shift) / normalization.scale})
    return rows


def pixel_histogram(images: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Share of all pixels in each of `BINS` bins of levels, from low to high."""
    counts, edges = np.histogram(images, bins=BINS, range=(0, 256))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "share": counts / images.size})


def without_duplicates(results: Sequence[Result], duplicates: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each model on all test images, and on those that repeat no training nor earlier test image.

    Both are means over the seeds, and shares of 1; the second is NaN if no image is left.
    """
    rows = []
    for result in results:
        kept = np.delete(result.right, repeated_in_test(duplicates), axis=1)
        rows.append((result.name, result.right.mean(), kept.mean() if kept.size else np.nan))
    return pd.DataFrame(rows, columns=["model", "all", "kept"])


def duplicate_counts(duplicates: pd.DataFrame) -> pd.DataFrame:
    """Number of pairs within training, within test and across, exact and near."""
    where = duplicates["first_part"].str.cat(duplicates["second_part"], sep="–")
    exact = duplicates["distance"] == 0
    places = {"train–train": "within training", "test–test": "within test", "train–test": "across training and test"}
    return pd.DataFrame(
        [
            {
                "where": words,
                "exact": int((exact & (where == place)).sum()),
                "near": int((~exact & (where == place)).sum()),
            }
            for place, words in places.items()
        ]
    )
