"""Read PNG and JPEG files as pixels."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from warnings import catch_warnings

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from pipeline.io import InputError, printable

FORMATS = ["PNG", "JPEG"]
MODES: dict[int, Literal["L", "RGB"]] = {1: "L", 3: "RGB"}  # Pillow's names, by number of channels
STRIP = 2**20  # pixels that are converted at a time, since a picture may have hundreds of millions
OVERSAMPLED = 4  # times the size wanted; larger pictures are first reduced to it by an integer factor
DEPTHS = (8, 12, 16)  # bits a pixel that cameras and scanners write into PNG files of 16 bits
FAINT = 16  # grey levels; a picture that varies by less can hardly be seen
# How other files begin, and at which byte.
SIGNATURES = {
    (8, b"WEBP"): "a WebP image",
    (0, b"BM"): "a BMP image",
    (0, b"GIF8"): "a GIF image",
    (0, b"II*\0"): "a TIFF image",
    (0, b"MM\0*"): "a TIFF image",
    (4, b"ftypavif"): "an AVIF image",
    (4, b"ftyphei"): "a HEIC image",
    (4, b"ftypmif1"): "a HEIC image",
    (0, b"%PDF"): "a PDF document",
    (0, b"<svg"): "an SVG drawing",
    (0, b"<!DOCTYPE"): "an HTML page",
    (0, b"<html"): "an HTML page",
    (0, b"version https://git-lfs"): "a pointer of Git LFS, whose file `git lfs pull` fetches",
}

# Pillow's bound on pixels is for servers, and its warning names no file: `_check_memory` takes its place. Its bound on
# one text of a PNG refuses what editors write; the bound on all texts of a file, 64 MiB, stays.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


def check_image(path: Path) -> None:
    """Check the file's first bytes alone, which is quick for thousands.

    Raises InputError unless it is a PNG or JPEG file of one picture.
    """
    with _open(path):
        pass


def read_image(path: Path, channels: int, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Read the pixels of an image, uint8 (height, width, channels).

    With a `size`, the image keeps its proportions, and what it leaves free is filled with the median of its border. An
    image of just that size is not resampled. 16 bits a channel become 8, CMYK is converted, and a photograph is turned
    as its camera says. Transparent pixels become white, or black where the drawing could not be seen on white.

    Args:
        path: The file.
        channels: 1 for grey; 3 for red, green and blue.
        size: The height and width to bring the image to; None takes it as it is.

    Returns:
        The pixels.

    Raises:
        InputError: The file is damaged, an animation, too large for the memory, or no PNG or JPEG image.
    """
    mode = MODES[channels]
    with _open(path) as image:
        # Lets a JPEG be decoded in grey, and at a fraction of its size.
        image.draft(mode, (OVERSAMPLED * size[1], OVERSAMPLED * size[0]) if size else image.size)
        factor = max(1, min(image.size) // (OVERSAMPLED * max(size))) if size else 1
        _check_memory(image, factor)
        picture = _upright(image, _convert(image, mode, factor))
    if size is not None:
        picture = _fit(picture, *size)
        filling = np.median(border(_pixels(picture)), axis=0).astype(int)
        picture = ImageOps.pad(picture, (size[1], size[0]), color=tuple(filling.tolist()))
    return _pixels(picture)


def border(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the outermost pixels of images (..., height, width, channels), each once: (..., pixels, channels)."""
    outer = np.ones(pixels.shape[-3:-1], dtype=bool)
    outer[1:-1, 1:-1] = False
    return pixels[..., outer, :]


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """Yield the image, whose pixels are read when they are asked for. What is wrong with it becomes InputError.

    Pillow's warnings, which name no file, are about tags that are not used.
    """
    place = printable(path)
    try:
        with catch_warnings(action="ignore", category=UserWarning), Image.open(path, formats=FORMATS) as image:
            if image.format == "PNG" and getattr(image, "is_animated", False):
                raise ValueError("an animation")
            yield image
    except UnidentifiedImageError as error:
        raise InputError(f"{place}: found {_name_content(path)}, expected a PNG or JPEG image") from error
    except (MemoryError, OSError, SyntaxError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise InputError(f"{place}: expected a readable image, found: {reason}") from error


def _name_content(path: Path) -> str:
    """Say what a file holds that is no image of ours, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(64)
    for (offset, signature), content in SIGNATURES.items():
        if start[offset : offset + len(signature)].lower() == signature.lower():
            return content
    return "another kind of file" if start else "an empty file"


def _check_memory(image: Image.Image, factor: int) -> None:
    """Raise ValueError if the image would take more than half of the machine's memory while it is decoded.

    Decoded, a pixel takes four bytes. Of the image reduced by `factor` there are three copies.
    """
    needed = image.width * image.height * (4 + 12 / factor**2)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory // 2:
        raise ValueError(f"{image.height:,} × {image.width:,} pixels, too many for this machine's memory")


def _upright(image: Image.Image, picture: Image.Image) -> Image.Image:
    """Turn a picture as the camera tags of the image say. Only the orientation is read; damaged tags are ignored."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        orientation = None
    if isinstance(orientation, int):
        picture.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _convert(image: Image.Image, mode: Literal["L", "RGB"], factor: int) -> Image.Image:
    """Return the image in 256 greys, or in red, green and blue of 256 levels each, with its sides divided by `factor`.

    Transparent pixels become white, or black if on white nothing could be seen.
    """
    image.load()
    if not image.has_transparency_data:
        return _flatten(image, mode, factor)
    on_white, on_black = (_flatten(image, mode, factor, ground) for ground in ("white", "black"))
    return on_black if _range(on_white) < FAINT <= _range(on_black) else on_white


def _flatten(image: Image.Image, mode: Literal["L", "RGB"], factor: int, ground: str = "white") -> Image.Image:
    """Convert and reduce a decoded image strip by strip, so that no other copy of it is ever in memory."""
    depth = _depth(image)
    picture = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * max(1, STRIP // (factor * image.width))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        if depth:
            strip = _eight_bits(strip, depth)
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, ground), strip)
        picture.paste(strip.convert(mode).reduce(factor), (0, top // factor))
    return picture


def _eight_bits(image: Image.Image, depth: int) -> Image.Image:
    """Return a grey image of `depth` bits in 8 bits, with the transparency of its one transparent value, if any."""
    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray((values >> (depth - 8)).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))))


def _depth(image: Image.Image) -> int | None:
    """Return how many bits of the 16 of a grey pixel are used; None if the image has 8.

    Pillow's own conversion cuts 16 bits off at 255. And many files of 16 bits hold values of 8 or 12 only, and would
    come out black: the largest value of the file says how many bits it uses.
    """
    if not image.mode.startswith("I"):
        return None
    _, largest = image.getextrema()
    return next(depth for depth in DEPTHS if largest < 2**depth)


def _range(image: Image.Image) -> int:
    """Return the largest difference of two values of one channel."""
    pixels = _pixels(image)
    return int((pixels.max(axis=(0, 1)) - pixels.min(axis=(0, 1))).max())


def _fit(image: Image.Image, height: int, width: int) -> Image.Image:
    """Return the image in its proportions, as large as fits."""
    scale = min(height / image.height, width / image.width)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image).reshape(image.height, image.width, -1)
