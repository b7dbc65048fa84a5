"""PNG and JPEG files as pixels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import InputError

FORMATS = ["PNG", "JPEG"]
MODES: dict[int, Literal["L", "RGB"]] = {1: "L", 3: "RGB"}  # Pillow's names, by number of channels


def check_image(path: Path) -> None:
    """Look at the file's first bytes alone, which is quick for thousands.

    Raises InputError unless it is a PNG or JPEG file of one picture.
    """
    with _opened(path):
        pass


def read_image(path: Path, channels: int, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Pixels uint8 (height, width, channels) of an image; 1 channel is grey, 3 are red, green and blue.

    With a `size` of height and width, the image is brought to it: it keeps its proportions, and what it leaves free
    is filled with the median of its border. An image of just that size is not resampled.

    16 bits a channel become 8, transparent pixels count as white, CMYK is converted, and a photograph is turned as its
    camera says.

    Raises InputError when the file is damaged, an animation, or no PNG or JPEG.
    """
    mode = MODES[channels]
    with _opened(path) as image:
        # Lets a JPEG be decoded in grey, and at a fraction of its size.
        image.draft(mode, (4 * size[1], 4 * size[0]) if size else image.size)
        picture = _converted(ImageOps.exif_transpose(image), mode)
    if size is not None:
        picture = _fitted(picture, *size)
        filling = np.median(border(_pixels(picture)), axis=0).astype(int)
        picture = ImageOps.pad(picture, (size[1], size[0]), color=tuple(filling.tolist()))
    return _pixels(picture)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, whose pixels are read when they are asked for; what is wrong with it then becomes InputError."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.format == "PNG" and getattr(image, "is_animated", False):
                raise ValueError("an animation")
            yield image
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: found no {' or '.join(FORMATS)} image, expected one") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"{path}: expected a readable image, found: {reason}") from error


def _converted(image: Image.Image, mode: Literal["L", "RGB"]) -> Image.Image:
    """The image in 256 greys or in red, green and blue of 256 levels each."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion cuts off instead of scaling
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    """The image in its proportions, as large as fits."""
    scale = min(height / image.height, width / image.width)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image).reshape(image.height, image.width, -1)


def border(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The outermost pixels of an image (height, width, channels), each once: (pixels, channels)."""
    outer = np.ones(pixels.shape[:2], dtype=bool)
    outer[1:-1, 1:-1] = False
    return pixels[outer]
