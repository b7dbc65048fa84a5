"""Image files as pixels."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pipeline.data.formats.images import check_image, read_image
from pipeline.io import InputError

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
def test_a_picture_of_any_kind_is_resized_in_its_proportions(
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
def test_a_photograph_is_read_alike_with_its_own_size(channels: int, tmp_path: Path) -> None:
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
def test_a_damaged_file_is_refused_or_read(
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


def png_with_text(path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("history", "x" * 2**21, zip=True)
    GRADIENT.save(path, pnginfo=text)


def large_photograph(path: Path) -> None:
    Image.new("L", (14_000, 14_000), 9).save(path, "JPEG")


def with_tags(*tags: bytes) -> Callable[[Path], None]:
    """Save camera tags of 12 bytes: number, type, count and value."""
    directory = len(tags).to_bytes(2, "big") + b"".join(tags) + bytes(4)
    return lambda path: GRADIENT.save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08" + directory)


TEXT_AS_ORIENTATION = b"\x01\x12\0\x02\0\0\0\x04abc\0"
TEXT_AS_WIDTH = b"\x01\x00\0\x02\0\0\0\x04abc\0"
UPSIDE_DOWN = b"\x01\x12\0\x03\0\0\0\x01\0\x03\0\0"


def damaged_camera_tags(path: Path) -> None:
    GRADIENT.save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")


def values_of(bits: int) -> Callable[[Path], None]:
    """Save 16-bit greys of which only so many bits are used."""

    def save(path: Path) -> None:
        stored = np.asarray(GRADIENT).astype(np.uint16)
        Image.fromarray(stored << (bits - 8)).save(path)

    return save


def transparent_value(path: Path) -> None:
    """Save 16-bit greys whose value 0 is transparent."""
    wide = Image.fromarray(np.asarray(GRADIENT).astype(np.uint16) * 256)
    wide.save(path, transparency=0)


def drawing(ink: int) -> Callable[[Path], None]:
    """Save a gradient as transparency of one ink."""

    def save(path: Path) -> None:
        pixels = np.full((16, 16, 4), ink, np.uint8)
        pixels[..., 3] = np.asarray(GRADIENT)
        Image.fromarray(pixels).save(path)

    return save


GRADIENT = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
PIXELS = np.asarray(GRADIENT).astype(int)

# What other people's files are: how one is made, and the pixels it must give.
UNUSUAL: dict[str, tuple[str, Callable[[Path], None], npt.NDArray[np.int64]]] = {
    "a PNG with a large text": ("image.png", png_with_text, PIXELS),
    "a photograph of 196 million pixels": ("image.jpg", large_photograph, np.full((16, 16), 9)),
    "an orientation that is a text": ("image.png", with_tags(TEXT_AS_ORIENTATION), PIXELS),
    "an orientation beside a wrong tag": ("image.png", with_tags(TEXT_AS_WIDTH, UPSIDE_DOWN), PIXELS[::-1, ::-1]),
    "damaged camera tags": ("image.png", damaged_camera_tags, PIXELS),
    "damaged camera tags in a photograph": ("image.jpg", damaged_camera_tags, PIXELS),
    "8 bits in 16": ("image.png", values_of(8), PIXELS),
    "12 bits in 16": ("image.png", values_of(12), PIXELS),
    "16 bits": ("image.png", values_of(16), PIXELS),
    "16 bits with a transparent value": ("image.png", transparent_value, np.where(PIXELS == 0, 255, PIXELS)),
    "a black drawing on transparency": ("image.png", drawing(0), 255 - PIXELS),
    "a white drawing on transparency": ("image.png", drawing(255), PIXELS),
}


@pytest.mark.parametrize(("name", "save", "pixels"), UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_file_is_read(
    name: str, save: Callable[[Path], None], pixels: npt.NDArray[np.int64], tmp_path: Path
) -> None:
    save(tmp_path / name)
    found = read_image(tmp_path / name, 1, (16, 16))[..., 0]
    np.testing.assert_allclose(found.astype(int), pixels, atol=3)


def test_a_transparent_picture_without_a_drawing_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "nothing.png")
    np.testing.assert_array_equal(read_image(tmp_path / "nothing.png", 3, None), np.full((4, 4, 3), 255))


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (1, 1)).save(tmp_path / "huge.png")
    whole = bytearray((tmp_path / "huge.png").read_bytes())
    whole[16:24] = struct.pack(">2I", 30_000, 20_000)  # width and height in the header, without the pixels
    whole[29:33] = struct.pack(">I", crc32(whole[12:29]))
    (tmp_path / "huge.png").write_bytes(whole)
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 2**20, "SC_PAGE_SIZE": 2**12}.get)
    message = r"huge\.png: expected a readable image, found: 20,000 × 30,000 pixels, too many for this machine's memory"
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / "huge.png", 1, (28, 28))


PEAK = """
import resource, sys
from pathlib import Path
from pipeline.data.formats.images import read_image

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_image(Path(sys.argv[1]), 3, (28, 28))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_a_large_picture_is_in_memory_once(tmp_path: Path) -> None:
    Image.new("LA", (5000, 4000), (9, 9)).save(tmp_path / "large.png")
    command = [sys.executable, "-c", PEAK, str(tmp_path / "large.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1.3 * 4 * 5000 * 4000  # four bytes a pixel


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "P", "1", "I;16"])
def test_a_picture_converted_in_strips_is_the_same(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(256, size=(60, 50, 3), dtype=np.uint8)
    wide = noise[..., 0].astype(np.uint16) * 257
    (Image.fromarray(wide) if mode == "I;16" else Image.fromarray(noise).convert(mode)).save(tmp_path / "noise.png")
    for size in (None, (5, 6)):
        whole = read_image(tmp_path / "noise.png", 3, size)
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.data.formats.images.STRIP", 350)
            np.testing.assert_array_equal(read_image(tmp_path / "noise.png", 3, size), whole)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), grey) for grey in (0, 100)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    for read in (check_image, lambda path: read_image(path, 1, None)):
        with pytest.raises(InputError, match=r"moving.png: expected a readable image, found: an animation"):
            read(tmp_path / "moving.png")


# What else a file called .jpg may be: its first bytes, and the name for it.
OTHERS = {
    "GIF": (b"GIF89a", "a GIF image"),
    "BMP": (b"BM", "a BMP image"),
    "TIFF": (b"II*\0", "a TIFF image"),
    "WebP": (b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP image"),
    "AVIF": (b"\0\0\0\x1cftypavif", "an AVIF image"),
    "HEIC": (b"\0\0\0\x18ftypheic", "a HEIC image"),
    "PDF": (b"%PDF-1.7", "a PDF document"),
    "SVG": (b"<svg xmlns=", "an SVG drawing"),
    "web page": (b"<!doctype html>", "an HTML page"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1",
        "a pointer of Git LFS, whose file `git lfs pull` fetches",
    ),
    "nothing": (b"", "an empty file"),
    "text": (b"notes", "another kind of file"),
}


@pytest.mark.parametrize(("start", "content"), OTHERS.values(), ids=OTHERS)
def test_another_kind_of_file_is_refused_by_its_kind(start: bytes, content: str, tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    path.write_bytes(start + bytes(64) * bool(start))
    for read in (check_image, lambda path: read_image(path, 1, None)):
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value) == f"{path}: found {content}, expected a PNG or JPEG image"


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP"])
def test_images_in_other_formats_are_refused_by_format(form: str, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "image.png", form)
    with pytest.raises(InputError, match=rf"(?i)image\.png: found a {form} image, expected a PNG or JPEG image"):
        read_image(tmp_path / "image.png", 1, None)


@pytest.mark.parametrize("name", ["a\nb.png", "a\x1b[2Jb.png", os.fsdecode(b"\xff.png")])
def test_a_name_with_control_characters_is_escaped(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"notes")
    with pytest.raises(InputError) as error:
        check_image(tmp_path / name)
    assert str(error.value).startswith(repr(str(tmp_path / name)))
    assert str(error.value).isprintable()
