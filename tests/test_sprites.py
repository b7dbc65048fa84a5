from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipeline.report.page.sprites import LEVELS, collect, columns, sprite_sheet


def drawn(sheet: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(sheet)).convert("L"))


@pytest.mark.parametrize("count", [1, 2, 9, 10, 200])
def test_images_stand_row_by_row(images: npt.NDArray[np.uint8], count: int) -> None:
    picture = drawn(sprite_sheet(images[:count, ..., np.newaxis]))
    across = columns(count)
    for place in range(count):
        row, column = divmod(place, across)
        tile = picture[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28].astype(int)
        np.testing.assert_allclose(tile, images[place], atol=255 / (LEVELS - 1) / 2 + 1)


def test_pictures_need_not_be_square() -> None:
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5, 1)
    assert drawn(sprite_sheet(images)).shape == (12, 5)


def test_black_and_white_stay_what_they_are() -> None:
    images = np.array([[[[0], [255]]]], np.uint8)
    assert drawn(sprite_sheet(images)).tolist() == [[0, 255]]


def test_no_image_gives_an_empty_picture() -> None:
    assert drawn(sprite_sheet(np.empty((0, 28, 28, 1), np.uint8))).max() == 0


def test_colours_stay_what_they_are() -> None:
    images = np.array([[[[255, 0, 0], [0, 255, 0]]], [[[0, 0, 255], [255, 255, 0]]]], np.uint8)
    sheet = np.asarray(Image.open(BytesIO(sprite_sheet(images))))
    np.testing.assert_array_equal(sheet, np.concatenate(images))


def test_equal_images_give_equal_bytes(images: npt.NDArray[np.uint8]) -> None:
    grey = images[..., np.newaxis]
    assert sprite_sheet(grey) == sprite_sheet(grey.copy())


def test_an_image_that_several_show_stands_there_once() -> None:
    sprites = collect({"test": [np.array([7, 3]), np.array([3, 9])], "train": [np.array([3])]})
    assert sprites.positions("test", np.array([3, 7, 9])).tolist() == [0, 1, 2]
    assert sprites.positions("train", np.array([3])).tolist() == [3]
    values = {"test": np.arange(10, dtype=np.uint8), "train": np.arange(100, 110, dtype=np.uint8)}
    assert sprites.of(values).tolist() == [3, 7, 9, 103]
