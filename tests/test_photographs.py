"""Photographs as `predict` sees them, and the images that it marks as out of distribution."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from benchmarks.photographs import measure, nearest
from pipeline.data.description import Description
from pipeline.data.formats.idx import read_images
from pipeline.predict.images import even_light, fit_content, load_file
from pipeline.predict.model import OnnxModel
from pipeline.predict.outliers import MIN_IMAGES, OutlierDetector
from tests.helpers.clone import ROOT
from tests.helpers.photographs import SCENES, Scene, draw
from tests.helpers.predicting import CLASSES, weights_of, write_onnx

Pixels = npt.NDArray[np.uint8]

PHOTOGRAPHS = ROOT / "docs/photographs"
SHAPE = (28, 28, 1)
PLAIN = {"paper", "sheet", "wall"}  # bright backgrounds without a pattern
FAR = {scene.garment for scene in SCENES if scene.ground not in PLAIN}


@pytest.fixture(scope="module")
def detector(raw_folder: Path) -> OutlierDetector:
    """A detector that knows the 200 test images of `tests/data`."""
    found = OutlierDetector.of(read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis])
    assert found
    return found


def photograph(name: str) -> Pixels:
    description = Description(classes=CLASSES, background="dark")
    return load_file(PHOTOGRAPHS / f"{name}.jpg", SHAPE, description, extent=1.0).pixels


def test_few_images_like_the_data_are_far(detector: OutlierDetector, images: Pixels) -> None:
    false_alarms = np.mean([detector.is_outlier(image[..., np.newaxis]) for image in images])
    # The threshold is the second largest of 100 errors: by Beta(2, 99), 95 % of such give less than 4.7 %.
    assert false_alarms < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda generator: generator.integers(0, 256, SHAPE),
        lambda generator: generator.integers(0, 40, SHAPE),
        lambda generator: np.zeros(SHAPE),
        lambda generator: np.full(SHAPE, 255),
        lambda generator: np.kron(np.indices((7, 7)).sum(axis=0) % 2, np.full((4, 4), 200))[..., np.newaxis],
    ],
)
def test_noise_and_what_shows_nothing_are_far(
    make: Callable[[np.random.Generator], npt.NDArray[np.int64]], detector: OutlierDetector
) -> None:
    assert detector.is_outlier(make(np.random.default_rng(0)).astype(np.uint8))


def test_negatives_are_far(detector: OutlierDetector, images: Pixels) -> None:
    assert np.mean([detector.is_outlier(255 - image[..., np.newaxis]) for image in images]) > 0.95


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.garment)
def test_photographs_on_other_backgrounds_are_far(scene: Scene, detector: OutlierDetector) -> None:
    assert detector.is_outlier(photograph(scene.garment)) == (scene.garment in FAR)


@pytest.mark.parametrize("number", range(len(SCENES)))
def test_photographs_are_those_that_the_script_draws(number: int) -> None:
    drawn = draw(SCENES[number], np.random.default_rng(number))
    with Image.open(PHOTOGRAPHS / f"{SCENES[number].garment}.jpg") as stored:
        difference = np.asarray(stored).astype(int) - np.asarray(drawn)
    assert np.abs(difference).mean() < 12  # JPEG smooths the grain of the grass


def test_a_detector_takes_large_images_in_colour() -> None:
    generator = np.random.default_rng(0)
    shades = generator.integers(60, 200, (MIN_IMAGES, 1, 1, 3))
    usual = (shades + np.linspace(-50, 50, 70)[:, np.newaxis, np.newaxis]).repeat(100, axis=2).astype(np.uint8)
    detector = OutlierDetector.of(usual)
    assert detector
    assert detector.components.size < 20 * 32 * 32 * 3
    assert not detector.is_outlier(usual[0])
    assert detector.is_outlier(generator.integers(0, 256, (70, 100, 3), np.uint8))


@pytest.mark.parametrize("shape", [(MIN_IMAGES - 1, 28, 28, 1), (MIN_IMAGES, 6, 6, 1)])
def test_too_few_or_too_small_images_give_no_detector(shape: tuple[int, ...]) -> None:
    assert OutlierDetector.of(np.zeros(shape, np.uint8)) is None


def test_light_from_one_side_is_evened() -> None:
    rows, columns = np.mgrid[-1:1:60j, -1:1:80j]
    light = (25 * columns - 10 * rows)[..., np.newaxis]
    photographed = np.full((60, 80, 1), 200.0)
    photographed[20:40, 30:50] = 60
    evened = even_light(np.rint(photographed + light).astype(np.uint8))
    np.testing.assert_allclose(evened, photographed, atol=1)
    assert np.median(fit_content(evened, SHAPE, 1.0)) == pytest.approx(60, abs=1)


def test_the_light_of_a_line_is_left_as_it_is() -> None:
    line = np.linspace(180, 240, 60).astype(np.uint8).reshape(60, 1, 1)
    np.testing.assert_array_equal(even_light(line), line)


@pytest.mark.parametrize("name", ["plain", "cluttered"])
def test_other_backgrounds_are_left_as_they_are(name: str) -> None:
    pixels = np.random.default_rng(0).integers(100, 110 if name == "plain" else 200, (40, 50, 3)).astype(np.uint8)
    np.testing.assert_array_equal(even_light(pixels), pixels)


def test_answers_for_photographs_make_a_table(raw_folder: Path, tmp_path: Path) -> None:
    images = read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]
    write_onnx(tmp_path / "model.onnx", weights_of(0))
    data = {"train_images": images, "test_images": images}
    found = measure(data, Description(classes=CLASSES, background="dark"), OnnxModel(tmp_path / "model.onnx"))
    photographs, measures = found.split(" of 10 are correct.\n")
    assert [line.split("|")[1].strip() for line in photographs.splitlines()[2:12]] == CLASSES
    assert sum("yes |" in line for line in photographs.splitlines()) == len(FAR)
    components = next(line for line in measures.splitlines() if line.startswith("| reconstruction error"))
    assert components.replace(" ", "").endswith(f"|{len(FAR) / len(SCENES):.1%}|100.0%|100.0%|")


def test_a_distance_is_to_the_nearest_image() -> None:
    known, images = np.array([0, 5, 9], np.uint8), np.array([4, 9], np.uint8)
    np.testing.assert_allclose(nearest(known[:, np.newaxis])(images[:, np.newaxis]), [1, 0])
