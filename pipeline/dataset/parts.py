"""The prepared images as the parts that models see: train, validation, test."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dataset.prepared import read_prepared, read_split


@dataclass(frozen=True)
class Part:
    """Images, uint8 (n, height, width, channels), and their labels, uint8 (n,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Normalization:
    """A normalized pixel is ``(pixel - offset) / scale``."""

    offset: float
    scale: float


def read_parts(prepared: Path, split: Path) -> tuple[dict[str, Part], Normalization]:
    """Read the parts ``train``, ``validation`` and ``test``, and the normalization of their pixels.

    Raises InputError naming a file that is absent, damaged, or holds something else.
    """
    data = read_prepared(prepared)
    index = read_split(split, len(data["train_images"]))
    parts = {name: _part(data, "train", index[name]) for name in ("train", "validation")}
    parts["test"] = _part(data, "test", slice(None))
    return parts, Normalization(float(data["offset"]), float(data["scale"]))


def _part(data: dict[str, npt.NDArray[Any]], source: str, index: Any) -> Part:
    return Part(data[f"{source}_images"][index], data[f"{source}_labels"][index])
