"""Image files as the pixels that a model takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import InputError

FORMATS = ["PNG", "JPEG"]


def check_image(path: Path) -> None:
    """Look at the file's first bytes alone, which is quick for thousands.

    Raises InputError unless it is a PNG or JPEG file.
    """
    with _opened(path):
        pass


def read_image(path: Path, height: int, width: int, invert: bool | None) -> tuple[npt.NDArray[np.uint8], bool]:
    """Pixels uint8 (height, width) of an image of any size, and whether they were inverted.

    Models know light garments on black. `invert` says whether to turn dark into light; None inverts an image whose
    border is on average lighter than middle grey, which none of the 70,000 images of Fashion-MNIST is.

    The image keeps its proportions; what it leaves free is filled with the median of its border. Transparent pixels
    count as white. An image of just that size is not resampled.

    Raises InputError when the file is damaged, or no PNG or JPEG.
    """
    with _opened(path) as image:
        image.draft("L", (4 * width, 4 * height))  # lets a JPEG be decoded at a fraction of its size
        grey = _fitted(_grey(ImageOps.exif_transpose(image)), height, width)
    border = _border(np.asarray(grey))
    inverted = bool(border.mean() > 127.5) if invert is None else invert
    padded = ImageOps.pad(grey, (width, height), color=int(np.median(border)))
    return np.asarray(ImageOps.invert(padded) if inverted else padded), inverted


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, whose pixels are read when they are asked for; what is wrong with it then becomes InputError."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: found no {' or '.join(FORMATS)} image, expected one") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"{path}: expected a readable image, found: {reason}") from error


def _grey(image: Image.Image) -> Image.Image:
    """The image in 256 greys."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion cuts off instead of scaling
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L")


def _fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    """The image in its proportions, as large as fits."""
    scale = min(height / image.height, width / image.width)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _border(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The outermost pixels, each once."""
    outer = np.ones(pixels.shape, dtype=bool)
    outer[1:-1, 1:-1] = False
    return pixels[outer]
