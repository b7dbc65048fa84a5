"""Draw ten pictures as people photograph clothes: in colour, off centre, on bright or cluttered grounds.

``python -m tests.helpers.photographs docs/photographs`` wrote the files that docs/predict.md shows. Nothing in them is
from a camera or from anybody else.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Pixels = npt.NDArray[np.float64]

WIDTH, HEIGHT = 640, 480  # while drawing; files have half of both

# Outlines in a square from 0 to 1, y downwards. Those of `SYMMETRIC` are the left half, from the top to the bottom.
SYMMETRIC: dict[str, list[Point]] = {
    "t-shirt": [(0.5, 0.1), (0.4, 0.04), (0.22, 0.1), (0, 0.32), (0.12, 0.44), (0.24, 0.34), (0.24, 0.96), (0.5, 0.97)],
    "trouser": [(0.5, 0), (0.32, 0), (0.27, 0.4), (0.26, 1), (0.43, 1), (0.49, 0.3), (0.5, 0.3)],
    "pullover": [
        (0.5, 0.08),
        (0.4, 0.03),
        (0.24, 0.09),
        (0.04, 0.86),
        (0.17, 0.9),
        (0.28, 0.5),
        (0.27, 0.94),
        (0.5, 0.95),
    ],
    "dress": [(0.5, 0.14), (0.43, 0), (0.38, 0), (0.37, 0.2), (0.4, 0.38), (0.25, 0.98), (0.5, 1)],
    "coat": [(0.5, 0.06), (0.42, 0), (0.27, 0.06), (0.1, 0.66), (0.22, 0.7), (0.3, 0.42), (0.26, 1), (0.5, 1)],
    "shirt": [(0.5, 0.1), (0.42, 0), (0.25, 0.07), (0.06, 0.78), (0.18, 0.82), (0.29, 0.44), (0.28, 0.92), (0.5, 0.98)],
    "bag": [(0.5, 0.36), (0.06, 0.36), (0.02, 0.92), (0.5, 0.94)],
}
OUTLINES: dict[str, list[Point]] = {
    "sandal": [(0, 0.62), (0.3, 0.66), (0.62, 0.74), (1, 0.72), (1, 0.8), (0.6, 0.83), (0.25, 0.78), (0, 0.74)],
    "sneaker": [
        (0.02, 0.4),
        (0.2, 0.36),
        (0.3, 0.42),
        (0.45, 0.36),
        (0.62, 0.52),
        (0.9, 0.6),
        (1, 0.72),
        (0.98, 0.8),
        (0.02, 0.8),
    ],
    "ankle-boot": [
        (0.08, 0.08),
        (0.46, 0.06),
        (0.46, 0.5),
        (0.6, 0.58),
        (0.9, 0.66),
        (1, 0.8),
        (0.98, 0.9),
        (0.36, 0.9),
        (0.3, 0.82),
        (0.3, 0.94),
        (0.06, 0.94),
        (0.1, 0.6),
    ],
} | {name: [*half, *((1 - x, y) for x, y in reversed(half))] for name, half in SYMMETRIC.items()}
# Lines that are lighter or darker than the garment: seams, straps, laces, handles; with their width.
LINES: dict[str, list[tuple[int, list[Point]]]] = {
    "coat": [(3, [(0.5, 0.1), (0.5, 1)]), (5, [(0.42, 0), (0.5, 0.3), (0.58, 0)])],
    "shirt": [(3, [(0.5, 0.1), (0.5, 0.98)]), (5, [(0.4, 0.02), (0.46, 0.14), (0.5, 0.1), (0.54, 0.14), (0.6, 0.02)])],
    "trouser": [(3, [(0.32, 0.05), (0.68, 0.05)])],
    "sneaker": [(12, [(0.02, 0.77), (0.98, 0.77)]), (4, [(0.42, 0.5), (0.5, 0.42)]), (4, [(0.5, 0.56), (0.57, 0.49)])],
    "ankle-boot": [(8, [(0.36, 0.88), (0.98, 0.88)])],
    "sandal": [
        (14, [(0.05, 0.63), (0.1, 0.36), (0.3, 0.4), (0.32, 0.66)]),
        (14, [(0.62, 0.74), (0.76, 0.56), (0.92, 0.72)]),
    ],
    "bag": [(14, [(0.28, 0.37), (0.32, 0.12), (0.5, 0.04), (0.68, 0.12), (0.72, 0.37)])],
}


class Scene(NamedTuple):
    """A garment in a colour, on a ground, its centre and size as shares of the picture's height."""

    garment: str
    colour: Sequence[int]
    ground: str
    centre: Point
    size: float
    degrees: float = 0.0


SCENES = [
    Scene("t-shirt", (196, 40, 48), "paper", (0.52, 0.55), 0.66, 4),
    Scene("trouser", (52, 74, 120), "planks", (0.75, 0.5), 0.85, -5),
    Scene("pullover", (40, 110, 70), "sheet", (0.6, 0.48), 0.8, 3),
    Scene("dress", (120, 50, 130), "wall", (0.82, 0.52), 0.84),
    Scene("coat", (88, 62, 40), "dim paper", (0.55, 0.5), 0.86, -3),
    Scene("sandal", (150, 100, 60), "grass", (0.7, 0.5), 0.6, 6),
    Scene("shirt", (150, 180, 220), "checks", (0.62, 0.5), 0.84, 5),
    Scene("sneaker", (230, 230, 226), "asphalt", (0.6, 0.55), 0.62, -4),
    Scene("bag", (30, 30, 34), "paper", (0.85, 0.6), 0.55),
    Scene("ankle-boot", (70, 44, 30), "tiles", (0.66, 0.5), 0.66, 3),
]


def draw_photographs(folder: Path) -> None:
    """Write a JPEG file for each scene."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(SCENES):
        picture = draw(scene, np.random.default_rng(number))
        picture.save(folder / f"{scene.garment}.jpg", quality=70)


def draw(scene: Scene, generator: np.random.Generator) -> Image.Image:
    """Draw one scene: the ground, a soft shadow, the garment with folds and grain, light from one side."""
    garment, mask = _cut_out(scene, generator)
    picture = Image.fromarray(_ground(scene.ground, generator).clip(0, 255).astype(np.uint8))
    shadow = mask.filter(ImageFilter.GaussianBlur(10)).point(lambda value: value * 0.45)
    picture.paste((0, 0, 0), (8, 10), shadow)
    picture.paste(garment, (0, 0), mask)
    light = 1.06 - 0.16 * np.linspace(0, 1, WIDTH)[np.newaxis, :, np.newaxis]
    lit = np.asarray(picture) * light + generator.normal(0, 3, (HEIGHT, WIDTH, 1))
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8)).resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.BOX)


def _cut_out(scene: Scene, generator: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Return a garment as large as the picture, and its mask."""
    side = round(scene.size * HEIGHT)
    left, top = (round(centre * HEIGHT - side / 2) for centre in scene.centre)

    def place(points: Sequence[Point]) -> list[Point]:
        return [(left + x * side, top + y * side) for x, y in points]

    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    folds = 10 * np.sin(columns / 17 + rows / 41) + 8 * np.sin(columns / 7 - rows / 29)
    fabric = np.array(scene.colour) + (folds + generator.normal(0, 5, folds.shape))[..., np.newaxis]
    garment = Image.fromarray(fabric.clip(0, 255).astype(np.uint8))
    mask = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(mask).polygon(place(OUTLINES[scene.garment]), 255)
    contrast = 70 if sum(scene.colour) < 300 else -70
    trim = tuple(min(255, max(0, value + contrast)) for value in scene.colour)
    for width, points in LINES.get(scene.garment, []):
        ImageDraw.Draw(garment).line(place(points), trim, width, joint="curve")
        ImageDraw.Draw(mask).line(place(points), 255, width, joint="curve")
    centre = (left + side / 2, top + side / 2)
    turned = partial(Image.Image.rotate, angle=scene.degrees, resample=Image.Resampling.BICUBIC, center=centre)
    return turned(garment), turned(mask)


def _ground(kind: str, generator: np.random.Generator) -> Pixels:
    """Return what a garment lies on, (height, width, 3)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    grain = generator.normal(0, 1, (HEIGHT, WIDTH))
    coarse = np.kron(generator.normal(0, 1, (HEIGHT // 8, WIDTH // 8)), np.ones((8, 8)))
    grain_of_wood = 14 * np.sin(rows / 5 + np.sin(columns / 90) * 4) + 12 * (rows // 80 % 3)
    grounds: dict[str, tuple[Pixels, tuple[float, float, float]]] = {
        "paper": (236 + grain, (1, 1, 1)),
        "dim paper": (112 + grain, (1, 1, 0.97)),
        "wall": (205 + 25 * rows / HEIGHT + 2 * grain, (1, 0.98, 0.92)),
        "sheet": (215 + 14 * np.sin(columns / 60 + np.sin(rows / 45) * 2) + 2 * grain, (1, 1, 1.02)),
        "planks": (150 + grain_of_wood - 70 * (rows % 80 < 3), (1.1, 0.8, 0.55)),
        "checks": (120 + 60 * (columns // 32 % 2) + 60 * (rows // 32 % 2) + 3 * grain, (1, 0.75, 0.75)),
        "tiles": (180 + 6 * coarse - 80 * ((rows % 160 < 5) | (columns % 160 < 5)), (1, 0.97, 0.9)),
        "grass": (110 + 25 * grain + 18 * coarse, (0.7, 1.1, 0.45)),
        "asphalt": (70 + 14 * grain + 5 * coarse, (1, 1, 1.03)),
    }
    grey, tint = grounds[kind]
    colours: Pixels = grey[..., np.newaxis] * np.array(tint)
    return colours


if __name__ == "__main__":
    draw_photographs(Path(sys.argv[1]))
