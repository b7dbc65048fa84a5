"""Collect the page's data on models and images from the files of the earlier stages."""

import warnings
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import cleanlab.filter
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config import Published
from pipeline.data.dataset import Dataset, Normalization, Split, load_dataset, load_prepared, load_split
from pipeline.data.description import load_description
from pipeline.data.duplicates import load_duplicates, repeated_in_test
from pipeline.evaluation.metrics import expected_calibration_error, reliability
from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.significance import Ranking
from pipeline.io import InputError
from pipeline.report.page.sprites import Sprites, collect
from pipeline.report.results import Result

SHOWN = 48  # pictures of label issues in a split, and of pairs; the page always gives their number
BINS = 32  # of the pixels' histogram, eight levels each
STEPS = 255  # a probability is sent as one byte, which is accurate to 0.2 per cent
HASH_LENGTH = 12  # characters shown of a SHA-256
ISSUE_SPLITS = ("validation", "test")  # the models were not trained on them


@dataclass(frozen=True)
class Source:
    """The results of all models, and the images.

    `images` and `labels` are those of the files train and test, uint8 (n, height, width, channels) and (n,).
    `datasets` and `validation`, the indices of the images in train that are held out, are by the name of the split.
    `background` is that of nearly all images, if any.
    """

    results: Sequence[Result]
    published: Mapping[str, Published]
    datasets: Mapping[str, Dataset]
    images: Mapping[str, npt.NDArray[np.uint8]]
    labels: Mapping[str, npt.NDArray[np.uint8]]
    validation: Mapping[str, npt.NDArray[np.int64]]
    duplicates: pd.DataFrame
    background: Literal["dark", "light"] | None
    digest: str

    @property
    def classes(self) -> Sequence[str]:
        """The class names in the order of the labels."""
        return self.results[0].classes

    @cached_property
    def selected(self) -> Result:
        """The model with the best validation accuracy, since test images select nothing."""
        accuracies = [result.predictions["validation"].correct[result.best_index].mean() for result in self.results]
        return self.results[int(np.argmax(accuracies))]

    @property
    def dataset(self) -> Dataset:
        """The images as the selected model's split divides them."""
        return self.datasets[self.selected.config.split]


def load_source(results: Sequence[Result], published: Mapping[str, Published], data: Path = Path("data")) -> Source:
    """Load the images that the models were trained and tested on, and their duplicates.

    Args:
        results: The models.
        published: What articles report, by model.
        data: The folder of the images, splits and duplicates.

    Returns:
        All that the page is made from.

    Raises:
        InputError: A file is absent, damaged, or does not fit the others.
    """
    path = data / "prepared.npz"
    prepared = load_prepared(path)
    split_paths = {name: data / "splits" / f"{name}.npz" for name in sorted({one.config.split for one in results})}
    datasets = {name: load_dataset(path, split_path) for name, split_path in split_paths.items()}
    for result in results:
        for split in ISSUE_SPLITS:
            expected = datasets[result.config.split].splits[split].labels
            if not np.array_equal(result.predictions[split].labels, expected):
                predictions = result.layout.predictions(result.name)
                raise InputError(f"{predictions}, {split}_labels: found other labels than in {path}")
    images = {file: prepared[f"{file}_images"] for file in ("train", "test")}
    duplicates = load_duplicates(data / "duplicates.csv")
    for end in ("a", "b"):
        if (duplicates[f"index_{end}"] >= duplicates[f"split_{end}"].map({f: len(images[f]) for f in images})).any():
            raise InputError(f"{data / 'duplicates.csv'}, index_{end}: found an image that is not in {path}")
    return Source(
        results,
        {result.name: published[result.name] for result in results if result.name in published},
        datasets,
        images,
        {file: prepared[f"{file}_labels"] for file in ("train", "test")},
        {name: load_split(split, len(images["train"]))["validation"] for name, split in split_paths.items()},
        duplicates,
        load_description(data / "dataset.json").background,
        sha256(path.read_bytes()).hexdigest()[:HASH_LENGTH],
    )


@dataclass(frozen=True)
class LabelIssues:
    """Probable label errors in one split: their number, and the first `SHOWN`, the most doubtful first.

    `indices` are those of the images in the split, `given` and `suggested` classes, each int64 (n,). `reason` says why
    there are none where the method cannot be used.
    """

    total: int
    predictions: Predictions
    indices: npt.NDArray[np.int64]
    reason: str = ""

    @property
    def given(self) -> npt.NDArray[np.int64]:
        """The labels of the images that are shown."""
        return self.predictions.labels[self.indices].astype(np.int64)

    @property
    def suggested(self) -> npt.NDArray[np.int64]:
        """The classes that the model predicts for them."""
        return self.predictions.predicted[self.indices]


def label_issues(predictions: Predictions) -> LabelIssues:
    """Find the probable label errors of a split that the model was not trained on."""
    try:
        found = find_label_issues(predictions)
    except ValueError as error:  # of the library, for too few images or classes
        return LabelIssues(0, predictions, np.empty(0, np.int64), str(error).partition("\n")[0].rstrip("."))
    return LabelIssues(len(found), predictions, found[:SHOWN])


def find_label_issues(predictions: Predictions) -> npt.NDArray[np.int64]:
    """Return the indices of images whose label is probably wrong, the least probable label first, int64 (m,).

    The predictions must be of a model that was not trained on these images. The method is confident learning
    (Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, 2021), ranked by the
    probability of the given label.

    Raises ValueError if all images have the same label: the method compares classes with each other.
    """
    if len(np.unique(predictions.labels)) < 2:
        raise ValueError("all labels are equal")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues")  # in classes with hardly any images
        found = cleanlab.filter.find_label_issues(
            predictions.labels.astype(np.int64),
            predictions.probabilities,
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    return np.asarray(found, dtype=np.int64)


def images_per_class(splits: Mapping[str, Split], classes: Sequence[str]) -> pd.DataFrame:
    """Count images by class (rows) and split (columns)."""
    counts = {name: np.bincount(split.labels, minlength=len(classes)) for name, split in splits.items()}
    return pd.DataFrame({"class": classes, **counts})


def pixel_ranges(splits: Mapping[str, Split], normalization: Normalization) -> list[dict[str, Any]]:
    """Compute minimum, maximum, mean and standard deviation of the pixels of each split, raw and normalized."""
    rows = []
    for name, split in splits.items():
        pixels = split.images
        before = np.array([pixels.min(), pixels.max(), pixels.mean(), pixels.std(dtype=np.float32)])
        offset = np.array([normalization.offset] * 3 + [0])
        rows.append({"split": name, "before": before, "after": (before - offset) / normalization.scale})
    return rows


def pixel_histogram(images: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Compute the fraction of all pixels in each of `BINS` bins, from low to high."""
    counts, edges = np.histogram(images, bins=BINS, range=(0, 256))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "fraction": counts / images.size})


def without_duplicates(results: Sequence[Result], duplicates: pd.DataFrame) -> pd.DataFrame:
    """Compute each model's accuracy on all test images, and without repeated ones.

    A test image is repeated if it equals or resembles a training image or an earlier test image. Both accuracies are
    means over the seeds and fractions of 1. The second is NaN if no image is left.
    """
    rows, repeated = [], repeated_in_test(duplicates)
    for result in results:
        rest = np.delete(result.correct, repeated, axis=1)
        rows.append((result.name, result.correct.mean(), rest.mean() if rest.size else np.nan))
    return pd.DataFrame(rows, columns=["model", "all", "unique"])


def duplicate_counts(duplicates: pd.DataFrame) -> pd.DataFrame:
    """Count the pairs within training, within test and across both, exact and near."""
    where = duplicates["split_a"].str.cat(duplicates["split_b"], sep="–")
    exact = duplicates["rmse"] == 0
    pairs = {"train–train": "within training", "test–test": "within test", "train–test": "across training and test"}
    rows = [
        {"where": words, "exact": int((exact & (where == pair)).sum()), "near": int((~exact & (where == pair)).sum())}
        for pair, words in pairs.items()
    ]
    return pd.DataFrame(rows)


def shown_pairs(duplicates: pd.DataFrame) -> pd.DataFrame:
    """Select the pairs that are shown: those across training and test before others, the nearest first."""
    across = duplicates["split_a"] != duplicates["split_b"]
    return pd.concat([duplicates[across], duplicates[~across]])[:SHOWN]


def mistakes(test: Predictions) -> npt.NDArray[np.int64]:
    """Return the indices of the misclassified test images, the most confident mistake first, int64 (n,)."""
    wrong = np.flatnonzero(test.predicted != test.labels)
    return wrong[np.argsort(-test.probabilities[wrong].max(axis=1), kind="stable")]


def shown_images(source: Source, issues: Mapping[str, LabelIssues], pairs: pd.DataFrame) -> Sprites:
    """Collect every image that some model misclassifies, that is a label issue, or that is in a pair."""
    wrong = [mistakes(result.best["test"]) for result in source.results]
    repeated = {
        file: [pairs.loc[pairs[f"split_{end}"] == file, f"index_{end}"].to_numpy(np.int64) for end in ("a", "b")]
        for file in ("test", "train")
    }
    validation = source.validation[source.selected.config.split][issues["validation"].indices]
    return collect(
        {
            "test": [*wrong, issues["test"].indices, *repeated["test"]],
            "train": [validation, *repeated["train"]],
        }
    )


def issue_pictures(source: Source, sprites: Sprites, split: str, issues: LabelIssues) -> dict[str, Any]:
    """Describe the label issues of a split for the page's template.

    Args:
        source: The images.
        sprites: The picture that holds those shown.
        split: validation or test.
        issues: What was found.

    Returns:
        The number of issues and of images, and for each one shown: position, index in its file, classes, probabilities.
    """
    validation = source.validation[source.selected.config.split]
    file, indices = ("test", issues.indices) if split == "test" else ("train", validation[issues.indices])
    probabilities = issues.predictions.probabilities
    pictures = zip(
        sprites.positions(file, indices).tolist(),
        indices.tolist(),
        np.take(source.classes, issues.given),
        probabilities[issues.indices, issues.given],
        np.take(source.classes, issues.suggested),
        probabilities[issues.indices, issues.suggested],
        strict=True,
    )
    counts = {"total": issues.total, "of": len(issues.predictions.labels), "reason": issues.reason}
    return {**counts, "pictures": list(pictures)}


def pair_pictures(source: Source, sprites: Sprites, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Describe each pair that is shown: its distance, and of both images position, file, index and class."""
    return [
        {
            "rmse": pair["rmse"],
            "images": [
                {
                    "position": int(sprites.positions(pair[f"split_{end}"], np.array([pair[f"index_{end}"]]))[0]),
                    "split": pair[f"split_{end}"],
                    "index": pair[f"index_{end}"],
                    "class": source.classes[source.labels[pair[f"split_{end}"]][pair[f"index_{end}"]]],
                }
                for end in ("a", "b")
            ],
        }
        for pair in pairs.to_dict("records")
    ]


def encoded(numbers: npt.NDArray[np.integer], dtype: str) -> str:
    """Encode numbers as base64 of little-endian bytes, which the page's script reads as a typed array."""
    return b64encode(np.ascontiguousarray(numbers, dtype=dtype).tobytes()).decode()


def model_data(result: Result, sprites: Sprites) -> dict[str, Any]:
    """Describe one model's best seed for the page's script.

    ``mistakes`` are positions in the picture, uint32 (n,); ``predicted`` uint8 (n,); ``probabilities`` uint8
    (n, classes), where 255 is 1.
    """
    test = result.best["test"]
    wrong = mistakes(test)
    return {
        "name": result.name,
        "accuracy": result.best_scores["accuracy"],
        "seed": result.run.seed,
        "seeds": len(result.correct),
        "calibrationError": expected_calibration_error(reliability(test)),
        "confusion": result.confusion.tolist(),
        "perClass": result.per_class.to_dict("records"),
        "averages": {name: value for name, value in result.best_scores.items() if name != "accuracy"},
        "mistakes": encoded(sprites.positions("test", wrong), "<u4"),
        "predicted": encoded(test.predicted[wrong], "u1"),
        "probabilities": encoded(np.round(test.probabilities[wrong] * STEPS), "u1"),
    }


def comparisons(ranking: Ranking) -> list[dict[str, Any]]:
    """Describe the comparison of each two models, by their indices, for the page's script."""
    return [
        {
            "first": pair.first,
            "second": pair.second,
            "difference": pair.comparison.difference,
            "standardError": pair.comparison.standard_error,
            "pValue": pair.comparison.p_value,
            "test": pair.comparison.test,
            "corrected": pair.corrected,
            "significant": pair.significant,
        }
        for pair in ranking.pairs
    ]
