"""Put many small images into one picture, which a page can hold without a request for each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import ceil, isqrt

import numpy as np
import numpy.typing as npt
from PIL import Image

Numbers = npt.NDArray[np.int64]
LEVELS = 32  # of each colour: it looks the same at this size, and the file is a quarter smaller


@dataclass(frozen=True)
class Sprites:
    """The images that the page shows: their sorted indices in each file. The files follow each other in the picture."""

    numbers: Mapping[str, Numbers]

    def positions(self, file: str, numbers: npt.NDArray[np.integer]) -> Numbers:
        """Return the positions in the picture, int64 (n,), of images of one file, given their indices (n,)."""
        before = 0
        for name, shown in self.numbers.items():
            if name == file:
                return np.searchsorted(shown, numbers) + before
            before += len(shown)
        raise KeyError(file)

    def of(self, arrays: Mapping[str, npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
        """Take each shown image's entry from the files' arrays (n, …), in the order of the picture."""
        return np.concatenate([arrays[file][numbers] for file, numbers in self.numbers.items()])


def collect(shown: Mapping[str, Iterable[npt.NDArray[np.integer]]]) -> Sprites:
    """Collect images so that each is shown once, from arrays of indices by file."""
    none = np.empty(0, np.int64)
    return Sprites({file: np.unique(np.concatenate([none, *arrays])) for file, arrays in shown.items()})


def columns(images: int) -> int:
    """Return how many images are in a row of the picture."""
    return max(1, isqrt(images))


def sprite_sheet(images: npt.NDArray[np.uint8]) -> bytes:
    """Put images (n, height, width, channels) row by row into one WebP picture. Equal images give equal bytes."""
    count, height, width, channels = images.shape
    across = columns(count)
    down = max(1, ceil(count / across))
    sheet = np.zeros((across * down, height, width, channels), np.uint8)
    sheet[:count] = np.round(np.round(images * ((LEVELS - 1) / 255)) * (255 / (LEVELS - 1)))
    rows = sheet.reshape(down, across, height, width, channels).swapaxes(1, 2)
    colours = (channels,) if channels > 1 else ()
    picture = rows.reshape(down * height, across * width, *colours)
    content = BytesIO()
    Image.fromarray(picture).save(content, "WEBP", lossless=True, quality=100, method=4)
    return content.getvalue()
