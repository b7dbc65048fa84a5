"""Load the images to predict: test images by number, or image files made to look like the data."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.data.dataset import load_test_split
from pipeline.data.description import Description
from pipeline.data.formats.images import border, read_image
from pipeline.io import InputError, printable

Images = npt.NDArray[np.uint8]

PREPARED = Path("data/prepared.npz")
SURVEYED = 1000  # images whose content is measured, or nearly twice as many
BACKGROUND_TOLERANCE = 13  # grey levels, 5 % of all: within it, Fashion-MNIST's authors take a pixel for background
NEARLY_ALL = 0.9  # of the border's pixels; a garment may reach over the edge
MIDDLE_GREYS = 64, 191  # between these, a border is neither clearly dark nor clearly light


@dataclass(frozen=True)
class Example:
    """One image to predict.

    Attributes:
        pixels: uint8 (height, width, channels).
        label: Class of the image, if known.
        name: Source of the image for readers, printable.
        source: Source of the image for programs.
    """

    pixels: Images
    label: int | None
    name: str
    source: dict[str, int | str | bool]


def load_test_images(prepared: Path, numbers: Sequence[int]) -> list[Example]:
    """Return the test images of these numbers, or raise InputError for one that is out of range."""
    test = load_test_split(prepared)
    for number in numbers:
        if not 0 <= number < len(test.images):
            raise InputError(f"--index: found {number}, expected 0 to {len(test.images) - 1}, a test image's number")
    return [Example(test.images[n], int(test.labels[n]), f"test image {n}", {"index": n}) for n in numbers]


def load_file(
    path: Path,
    shape: tuple[int, int, int],
    description: Description,
    invert: bool | None = None,
    extent: float | None = None,
) -> Example:
    """Read an image file as a model takes it. Hint on stderr at a border that is neither dark nor light.

    Args:
        path: A PNG or JPEG file.
        shape: Height, width and channels that the model takes.
        description: Which background the data has.
        invert: Whether to turn dark into light. None inverts an image whose border is light where the border of the
            data's images is dark, or the other way round.
        extent: How much of the frame the content should fill, from 0 to 1. None leaves the image uncropped. An image
            of the model's size is taken as it is.

    Returns:
        The image, of unknown class.

    Raises:
        InputError: The file cannot be read.
    """
    pixels = read_image(path, shape[2], shape[:2] if extent is None else None)
    fitted = pixels.shape != shape
    if extent is not None and fitted:
        pixels = fit_content(even_light(pixels), shape, extent)
    grey = border(pixels).mean()
    background = "light" if grey > 127.5 else "dark"
    inverted = description.background not in (background, None) if invert is None else invert
    if invert is None and description.background and MIDDLE_GREYS[0] < grey < MIDDLE_GREYS[1]:
        hint = f"border of grey {grey:.0f}, taken as {background}; if it is not, try --{'no-' * inverted}invert"
        print(f"{printable(path)}: {hint}", file=sys.stderr)
    if inverted:
        pixels = 255 - pixels
    return Example(pixels, None, printable(path), {"file": str(path), "inverted": inverted, "fitted": fitted})


def is_cropped(description: Description, data_format: str) -> bool:
    """Return whether files are cropped to their content by default, as the training images were."""
    return description.background is not None and data_format != "images"


def content_extent(images: Images) -> float:
    """Return how much of the frame the longer side of the content fills: the median over images, from 0 to 1.

    Images at equal distances are measured, since their order may be that of the classes.
    """
    boxes = [(_content(image), image.shape) for image in images[:: max(1, len(images) // SURVEYED)]]
    extents = [max((b.stop - b.start) / side for b, side in zip(box, shape, strict=False)) for box, shape in boxes]
    return float(np.median(extents))


def even_light(pixels: Images) -> Images:
    """Remove light that falls off evenly to one side, as on a photograph of something on a wall or on paper.

    A plane through the border's values is levelled, if that makes nearly all of the border background. Otherwise the
    image is returned as it is.
    """
    edge = border(pixels)
    height, width = pixels.shape[:2]
    if _is_plain(edge - np.median(edge, axis=0)) or min(height, width) < 2:  # a line has no plane
        return pixels
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[:, np.newaxis]
    places = [border(np.broadcast_to(values, (height, width, 1))) for values in (rows, columns)]
    outer = np.hstack([*places, np.ones_like(places[0])])
    plane, *_ = np.linalg.lstsq(outer, edge, rcond=None)
    if not _is_plain(edge - outer @ plane):
        return pixels
    light = rows * plane[0] + columns * plane[1]
    return np.asarray(np.rint(pixels - light).clip(0, 255), np.uint8)


def _is_plain(differences: npt.NDArray[np.floating]) -> bool:
    """Return whether nearly all pixels (n, channels) are background, given what they differ by from it."""
    return bool((np.abs(differences) <= BACKGROUND_TOLERANCE).all(axis=1).mean() >= NEARLY_ALL)


def fit_content(pixels: Images, shape: tuple[int, int, int], extent: float) -> Images:
    """Crop an image to its content, and centre it so that its longer side fills `extent` of a frame of this shape.

    The rest has the median grey or colour of the image's border.
    """
    content = pixels[_content(pixels)]
    scale = extent * min(shape[0] / content.shape[0], shape[1] / content.shape[1])
    height, width = (max(1, round(side * scale)) for side in content.shape[:2])
    resized = Image.fromarray(content.squeeze(2) if shape[2] == 1 else content).resize((width, height))
    frame = np.full(shape, np.median(border(pixels), axis=0), np.uint8)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    frame[top : top + height, left : left + width] = np.asarray(resized).reshape(height, width, -1)
    return frame


def _content(pixels: Images) -> tuple[slice, slice]:
    """Return the smallest rows and columns outside of which all pixels are as the border; all if nothing differs."""
    background = np.median(border(pixels), axis=0)
    differs = (np.abs(pixels - background) > BACKGROUND_TOLERANCE).any(axis=2)
    if not differs.any():
        return slice(0, pixels.shape[0]), slice(0, pixels.shape[1])
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
