"""The images to predict: test images by number, or image files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.dataset.background import is_light
from pipeline.dataset.description import Description
from pipeline.dataset.images import read_image
from pipeline.dataset.prepared import read_prepared
from pipeline.errors import InputError


@dataclass(frozen=True)
class Example:
    """One image, uint8 (height, width, channels).

    `label` if known, `name` for readers, `source` for programs: where the image is from.
    """

    pixels: npt.NDArray[np.uint8]
    label: int | None
    name: str
    source: dict[str, int | str | bool]


def numbered_examples(prepared: Path, numbers: Sequence[int]) -> list[Example]:
    """The test images of these numbers, which count from 0.

    Raises InputError for a number outside their range, or if the file is absent.
    """
    arrays = read_prepared(prepared)
    images, labels = arrays["test_images"], arrays["test_labels"]
    for number in numbers:
        if not 0 <= number < len(images):
            raise InputError(f"--index: found {number}, expected 0 to {len(images) - 1}, the number of a test image")
    return [Example(images[n], int(labels[n]), f"test image {n}", {"index": n}) for n in numbers]


def file_example(path: Path, shape: tuple[int, int, int], description: Description, invert: bool | None) -> Example:
    """The image in a file, as `read_image` brings it to the (height, width, channels) that a model takes.

    `invert` says whether to turn dark into light; None inverts an image whose border is light where those of the data
    are dark, or the other way round.
    """
    pixels = read_image(path, shape[2], shape[:2])
    background = "light" if is_light(pixels) else "dark"
    inverted = description.background not in (background, None) if invert is None else invert
    if inverted:
        pixels = 255 - pixels
    name = str(path).encode(errors="backslashreplace").decode()  # a file's name may hold bytes that are no text
    return Example(pixels, None, name, {"file": str(path), "inverted": inverted})
