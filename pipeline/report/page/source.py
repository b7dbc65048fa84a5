"""What the page is made from, read from the files of the earlier stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.dataset.description import read_description
from pipeline.dataset.duplicates import read_duplicates
from pipeline.dataset.parts import Normalization, Part, read_parts
from pipeline.dataset.prepared import read_prepared, read_split
from pipeline.errors import InputError
from pipeline.evaluation.predictions import Predictions
from pipeline.params.schema import Claim
from pipeline.report.results import Result, TrainedResult, trained


@dataclass(frozen=True)
class Source:
    """Models, ensembles and students in their results, and data.

    `images` and `labels` are those of the files
    train and test, uint8 (n, height, width, channels) and (n,); `validation` numbers the images of train that are held
    out; `background` is that of nearly all images, if any.
    """

    results: Sequence[Result]
    claims: Mapping[str, Claim]
    parts: Mapping[str, Part]
    normalization: Normalization
    images: Mapping[str, npt.NDArray[np.uint8]]
    labels: Mapping[str, npt.NDArray[np.uint8]]
    validation: npt.NDArray[np.int64]
    duplicates: pd.DataFrame
    background: Literal["dark", "light"] | None

    @property
    def classes(self) -> Sequence[str]:
        """The class names in the order of the labels."""
        return self.results[0].classes

    @property
    def trained(self) -> Sequence[TrainedResult]:
        """The results that have learning curves: all but ensembles."""
        return trained(self.results)

    @property
    def predictions(self) -> Sequence[Mapping[str, Predictions]]:
        """What each model's kept seed predicts, by part."""
        return [result.kept for result in self.results]


def read_source(results: Sequence[Result], claims: Mapping[str, Claim], data: Path = Path("data")) -> Source:
    """Read the images that the models in `results` were trained and tested on, and their duplicates, from `data`.

    Raises InputError naming a file that is absent and the stage that makes it, or that does not fit the others.
    """
    prepared_path, split_path = data / "prepared.npz", data / "split.npz"
    prepared = read_prepared(prepared_path)
    parts, normalization = read_parts(prepared_path, split_path)
    for result in results:
        for part in ("validation", "test"):
            if not np.array_equal(result.predictions[part].labels, parts[part].labels):
                path = result.kind.predictions(result.name, data)
                raise InputError(f"{path}, {part}_labels: found others than in {prepared_path}")
    duplicates = read_duplicates(data / "duplicates.csv")
    for end in ("first", "second"):
        images = duplicates[f"{end}_part"].map({part: len(prepared[f"{part}_images"]) for part in ("train", "test")})
        if (duplicates[end] >= images).any():
            raise InputError(f"{data / 'duplicates.csv'}, {end}: found an image that is not in {prepared_path}")
    return Source(
        results,
        claims,
        parts,
        normalization,
        {part: prepared[f"{part}_images"] for part in ("train", "test")},
        {part: prepared[f"{part}_labels"] for part in ("train", "test")},
        read_split(split_path, len(prepared["train_images"]))["validation"],
        duplicates,
        read_description(data / "dataset.json").background,
    )
