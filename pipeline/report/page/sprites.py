"""Many small images as one picture, so that a page carries them without a request each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import ceil, isqrt

import numpy as np
import numpy.typing as npt
from PIL import Image

Numbers = npt.NDArray[np.int64]
LEVELS = 32  # of each colour kept: the eye sees no difference at this size, and the file is a quarter smaller


@dataclass(frozen=True)
class Sprites:
    """Which images the page shows, by part and by their number in it, sorted: each part's follow the former's."""

    numbers: Mapping[str, Numbers]

    def positions(self, part: str, numbers: npt.NDArray[np.integer]) -> Numbers:
        """Where images that the page shows stand in the picture, int64 (n,) for numbers (n,) of one part."""
        before = 0
        for name, shown in self.numbers.items():
            if name == part:
                return np.searchsorted(shown, numbers) + before
            before += len(shown)
        raise KeyError(part)

    def of(self, arrays: Mapping[str, npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
        """Take each shown image's entry from the parts' arrays (n, …), in the order of the picture."""
        return np.concatenate([arrays[part][numbers] for part, numbers in self.numbers.items()])


def collect(shown: Mapping[str, Iterable[npt.NDArray[np.integer]]]) -> Sprites:
    """Each image once, whoever shows it: takes, by part, arrays of image numbers."""
    none = np.empty(0, np.int64)
    return Sprites({part: np.unique(np.concatenate([none, *arrays])) for part, arrays in shown.items()})


def columns(images: int) -> int:
    """How many images stand in a row of the picture."""
    return max(1, isqrt(images))


def sprite_sheet(images: npt.NDArray[np.uint8]) -> bytes:
    """Lay images (n, height, width, channels) row by row into one WebP picture; equal images give equal bytes."""
    count, height, width, channels = images.shape
    across = columns(count)
    down = max(1, ceil(count / across))
    sheet = np.zeros((across * down, height, width, channels), np.uint8)
    sheet[:count] = np.round(np.round(images * ((LEVELS - 1) / 255)) * (255 / (LEVELS - 1)))
    rows = sheet.reshape(down, across, height, width, channels).swapaxes(1, 2)
    colours = (channels,) if channels > 1 else ()
    picture = rows.reshape(down * height, across * width, *colours)
    file = BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, quality=100, method=4)
    return file.getvalue()
