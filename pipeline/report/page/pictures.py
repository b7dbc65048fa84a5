"""The images that the page shows, and what it says of those in its data section."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report.page.dataset import SHOWN, Doubtful
from pipeline.report.page.models import mistakes
from pipeline.report.page.source import Source
from pipeline.report.page.sprites import Sprites, collect


def shown_pairs(duplicates: pd.DataFrame) -> pd.DataFrame:
    """The pairs that are shown: those across train and test before others, the nearest first."""
    across = duplicates["first_part"] != duplicates["second_part"]
    return pd.concat([duplicates[across], duplicates[~across]])[:SHOWN]


def shown_images(source: Source, doubts: Mapping[str, Doubtful], pairs: pd.DataFrame) -> Sprites:
    """Every image that some model gets wrong, that is shown as doubtful, or in a pair."""
    wrong = [mistakes(found["test"]) for found in source.predictions]
    repeated = {
        part: [pairs.loc[pairs[f"{place}_part"] == part, place].to_numpy(np.int64) for place in ("first", "second")]
        for part in ("test", "train")
    }
    return collect(
        {
            "test": [*wrong, doubts["test"].numbers, *repeated["test"]],
            "train": [source.validation[doubts["validation"].numbers], *repeated["train"]],
        }
    )


def doubtful_pictures(source: Source, sprites: Sprites, part: str, found: Doubtful) -> dict[str, Any]:
    """How many labels of a part are doubtful; of each shown: position, number in its file, classes, probabilities."""
    file, numbers = ("test", found.numbers) if part == "test" else ("train", source.validation[found.numbers])
    pictures = zip(
        sprites.positions(file, numbers).tolist(),
        numbers.tolist(),
        np.take(source.classes, found.given),
        found.given_probability,
        np.take(source.classes, found.suggested),
        found.suggested_probability,
        strict=True,
    )
    return {"found": found.found, "of": found.of, "pictures": list(pictures)}


def pair_pictures(source: Source, sprites: Sprites, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Each pair that is shown: its distance, and of both images position, part, number and class."""
    return [
        {
            "distance": pair["distance"],
            "images": [
                {
                    "position": int(sprites.positions(pair[f"{place}_part"], np.array([pair[place]]))[0]),
                    "part": pair[f"{place}_part"],
                    "number": pair[place],
                    "class": source.classes[source.labels[pair[f"{place}_part"]][pair[place]]],
                }
                for place in ("first", "second")
            ],
        }
        for pair in pairs.to_dict("records")
    ]
