"""Image files as pixels."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.dataset.background import background
from pipeline.dataset.images import check_image, read_image
from pipeline.errors import InputError

Pixels = npt.NDArray[np.uint8]


def picture(size: tuple[int, int], ground: Any, box: tuple[int, int, int, int], colour: Any, mode: str) -> Image.Image:
    image = Image.new(mode, size, ground)
    image.paste(colour, box)
    return image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "image", "ground", "inside"),
    [
        ("grey.png", picture((280, 280), 0, (70, 70, 210, 210), 200, "L"), 0, 200),
        ("colour.jpg", picture((3000, 3000), (0, 0, 0), (750, 750, 2250, 2250), (200, 200, 200), "RGB"), 0, 200),
        ("print.jpg", picture((280, 280), (0, 0, 0, 255), (70, 70, 210, 210), (0, 0, 0, 55), "CMYK"), 0, 200),
        ("clear.png", picture((280, 280), (0, 0, 0, 0), (70, 70, 210, 210), (55, 55, 55, 255), "RGBA"), 255, 55),
        ("palette.png", picture((280, 280), 0, (70, 70, 210, 210), 200, "L").convert("P"), 0, 200),
        ("deep.png", Image.fromarray(np.pad(np.full((140, 140), 200 * 256, np.uint16), 70)), 0, 200),
        ("tall.png", picture((140, 280), 0, (0, 70, 140, 210), 200, "L"), 0, 200),
        ("wide.png", picture((2800, 1400), 255, (700, 0, 2100, 1400), 55, "L"), 255, 55),
    ],
)
def test_a_picture_of_any_size_and_kind_is_brought_to_a_size_in_its_proportions(
    name: str, image: Image.Image, ground: int, inside: int, channels: int, tmp_path: Path
) -> None:
    image.save(tmp_path / name)
    pixels = read_image(tmp_path / name, channels, (28, 28))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (28, 28, channels)
    # Half as wide and half as high as the picture, in its middle.
    expected = np.pad(np.full((14, 14), inside), 7, constant_values=ground)
    distance = np.abs(np.indices((28, 28)) - 13.5).max(axis=0)
    clear = (distance < 5) | (distance > 9)  # edges are soft
    for channel in range(channels):
        np.testing.assert_allclose(pixels[clear, channel], expected[clear], atol=4)


def test_colours_are_kept_and_the_border_goes_on_in_its_own(tmp_path: Path) -> None:
    picture((8, 4), (200, 100, 50), (2, 1, 6, 3), (0, 0, 255), "RGB").save(tmp_path / "wide.png")
    pixels = read_image(tmp_path / "wide.png", 3, (8, 8))
    np.testing.assert_array_equal(pixels[[0, 1, 2, 5, 6, 7]], np.full((6, 8, 3), (200, 100, 50)))
    np.testing.assert_array_equal(pixels[3:5, 2:6], np.full((2, 4, 3), (0, 0, 255)))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_the_size_or_without_one_is_not_resampled(channels: int, tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(256, size=(5, 9, channels), dtype=np.uint8)
    Image.fromarray(stored.squeeze()).save(tmp_path / "image.png")
    for size in (None, (5, 9)):
        np.testing.assert_array_equal(read_image(tmp_path / "image.png", channels, size), stored)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photograph_is_read_alike_with_its_own_size_and_without_one(channels: int, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(256, size=(9, 17, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    found = read_image(tmp_path / "a.jpg", channels, None)
    np.testing.assert_array_equal(found, read_image(tmp_path / "a.jpg", channels, (9, 17)))


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    lying = Image.fromarray(np.pad(np.full((10, 28), 200, np.uint8), ((0, 18), (0, 0))))
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: to be turned by 90° clockwise
    lying.save(tmp_path / "photo.jpg", exif=exif, quality=100)
    pixels = read_image(tmp_path / "photo.jpg", 1, None)
    np.testing.assert_allclose(pixels[:, 20:], 200, atol=4)
    np.testing.assert_allclose(pixels[:, :16], 0, atol=4)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (1000, 1), (1, 1000)])
def test_the_smallest_and_narrowest_pictures_are_read(size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("L", size, 7).save(tmp_path / "line.png")
    np.testing.assert_array_equal(read_image(tmp_path / "line.png", 1, (28, 28)), np.full((28, 28, 1), 7))


@pytest.mark.parametrize("name", ["image.png", "image.jpg"])
def test_a_file_cut_off_anywhere_is_refused_by_its_name(name: str, images: Pixels, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.fromarray(images[0]).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 40, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=name):
            read_image(path, 1, (28, 28))


def in_a_file(form: str) -> bytes:
    file = BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(file, form)
    return file.getvalue()


@given(form=st.sampled_from(["PNG", "JPEG"]), place=st.integers(0, 1000), inserted=st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_refused_or_read_but_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, form: str, place: int, inserted: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.image"
    whole = in_a_file(form)
    place %= len(whole)
    path.write_bytes(whole[:place] + inserted + whole[place + len(inserted) :])
    try:
        pixels = read_image(path, 3, (8, 8))
    except InputError:
        return
    assert pixels.shape == (8, 8, 3)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(InputError, match=r"huge.png: .* exceeds limit"):
        read_image(tmp_path / "huge.png", 1, (28, 28))


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), grey) for grey in (0, 100)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    for read in (check_image, lambda path: read_image(path, 1, None)):
        with pytest.raises(InputError, match=r"moving.png: expected a readable image, found: an animation"):
            read(tmp_path / "moving.png")


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_forms_are_refused_whatever_the_name_says(form: str, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "image.png", form)
    with pytest.raises(InputError, match=r"image.png: found no PNG or JPEG image, expected one"):
        read_image(tmp_path / "image.png", 1, None)


def with_border(value: int, images: int, channels: int = 1) -> Pixels:
    stored = np.full((images, 4, 4, channels), 255 - value, np.uint8)
    stored[:, [0, -1]] = stored[:, :, [0, -1]] = value
    return stored


def test_a_background_is_what_nearly_all_borders_are(images: Pixels) -> None:
    assert background(images[..., np.newaxis]) == "dark"
    assert background(255 - images[..., np.newaxis]) == "light"
    assert background(with_border(10, 3)) == "dark"
    assert background(np.concatenate([with_border(10, 96), with_border(250, 4)])) == "dark"
    assert background(np.concatenate([with_border(10, 90), with_border(250, 10)])) is None
    assert background(with_border(10, 3, channels=3)) is None
