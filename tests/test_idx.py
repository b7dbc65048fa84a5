import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.formats.idx import read_images, read_labels
from pipeline.io import InputError
from tests.helpers.documentation import code_blocks

IMAGES = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 2, 3) + bytes(range(12))
LABELS = bytes([0, 0, 8, 1]) + struct.pack(">I", 4) + bytes([3, 0, 255, 9])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some-idx-ubyte"


def test_images_are_read_row_by_row(path: Path) -> None:
    path.write_bytes(IMAGES)
    images = read_images(path)
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_labels_are_read_in_order(path: Path) -> None:
    path.write_bytes(LABELS)
    labels = read_labels(path)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [3, 0, 255, 9]


def test_real_files_hold_as_many_images_of_each_class(raw_folder: Path) -> None:
    for part, count in {"train": 60, "t10k": 20}.items():
        assert read_images(raw_folder / f"{part}-images-idx3-ubyte").shape == (10 * count, 28, 28)
        assert np.bincount(read_labels(raw_folder / f"{part}-labels-idx1-ubyte")).tolist() == [count] * 10


IMAGE_BYTES, LABEL_BYTES = "expected images of unsigned bytes", "expected labels of unsigned bytes"

# What a file is that should hold images: its content, and what is then said.
WRONG = {
    "empty": (b"", f"found an empty file, {IMAGE_BYTES}"),
    "text": (b"label,pixel1", f"found another kind of file than IDX, {IMAGE_BYTES}"),
    "a PNG": (b"\x89PNG\r\n\x1a\n", f"found another kind of file than IDX, {IMAGE_BYTES}"),
    "three bytes": (bytes([0, 0, 8]), f"found another kind of file than IDX, {IMAGE_BYTES}"),
    "an unknown type": (b"\0\0\x07\x03" + IMAGES[4:], f"found another kind of file than IDX, {IMAGE_BYTES}"),
    "gzipped twice": (b"\x1f\x8b" + IMAGES[2:], f"found a file that is gzipped twice, {IMAGE_BYTES}"),
    "labels": (LABELS, f"found labels of unsigned bytes, {IMAGE_BYTES}"),
    "signed bytes": (b"\0\0\x09\x03" + IMAGES[4:], f"found images of signed bytes, {IMAGE_BYTES}"),
    "16-bit integers": (b"\0\0\x0b\x03" + IMAGES[4:], f"found images of 16-bit integers, {IMAGE_BYTES}"),
    "32-bit integers": (b"\0\0\x0c\x03" + IMAGES[4:], f"found images of 32-bit integers, {IMAGE_BYTES}"),
    "32-bit floats": (b"\0\0\x0d\x03" + IMAGES[4:], f"found images of 32-bit floats, {IMAGE_BYTES}"),
    "64-bit floats": (b"\0\0\x0e\x03" + IMAGES[4:], f"found images of 64-bit floats, {IMAGE_BYTES}"),
    "colours": (b"\0\0\x08\x04" + IMAGES[4:], f"found values in 4 dimensions of unsigned bytes, {IMAGE_BYTES}"),
    "a short header": (IMAGES[:15], "found 15 bytes, expected a header of 16"),
    "cut short": (IMAGES[:-1], "found 27 bytes, expected 28 for the header's dimensions 2 × 2 × 3"),
    "too long": (IMAGES + b"\0", "found 29 bytes, expected 28 for the header's dimensions 2 × 2 × 3"),
    "no images": (IMAGES[:4] + bytes(12), "found dimensions 0 × 0 × 0, expected at least 1 each"),
    "more than there is memory": (
        IMAGES[:4] + b"\xff" * 12 + IMAGES[16:],
        "found 28 bytes, expected 79,228,162,458,924,105,385,300,197,391 for the header's dimensions "
        "4294967295 × 4294967295 × 4294967295",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_not_what_its_header_says_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_images(path)
    assert str(error.value) == f"{path}: {message}"


# The same for labels.
WRONG_LABELS = {
    "images": (IMAGES, f"found images of unsigned bytes, {LABEL_BYTES}"),
    "32-bit integers": (b"\0\0\x0c\x01" + LABELS[4:], f"found labels of 32-bit integers, {LABEL_BYTES}"),
    "cut short": (
        LABELS[:4] + struct.pack(">I", 360) + bytes(359),
        "found 367 bytes, expected 368 for the header's dimensions 360",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_what_is_no_labels_is_not_read_as_labels(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_labels(path)
    assert str(error.value) == f"{path}: {message}"


def test_what_the_page_says_is_refused_is() -> None:
    said = [message for _, message in WRONG_LABELS.values()]
    for line in code_blocks("docs/own-data.md", "text")["refused"].splitlines():
        if "-labels: " in line:
            assert line.partition(": ")[2] in said


@settings(max_examples=500)
@given(
    start=st.integers(0, len(IMAGES)),
    removed=st.integers(0, 4),
    inserted=st.binary(max_size=4),
)
def test_a_mutated_file_is_refused_or_read_as_it_stands(
    tmp_path_factory: pytest.TempPathFactory, start: int, removed: int, inserted: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated-idx3-ubyte"
    content = IMAGES[:start] + inserted + IMAGES[start + removed :]
    path.write_bytes(content)
    try:
        images = read_images(path)
    except InputError:
        return
    assert content == bytes([0, 0, 8, 3]) + struct.pack(">3I", *images.shape) + images.tobytes()
