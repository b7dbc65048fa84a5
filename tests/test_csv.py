from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.formats.csv import read_table
from pipeline.io import InputError
from tests.helpers.documentation import code_blocks

TABLE = "3,0,1,2,3\n9,4,5,6,255\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.csv"


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        "label,pixel1,pixel2,pixel3,pixel4\n" + TABLE,
        '"label","pixel1","pixel2","pixel3","pixel4"\n' + TABLE,
        "\ufefflabel,pixel1,pixel2,pixel3,pixel4\n" + TABLE,
        "\ufeff" + TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.rstrip("\n"),
        TABLE.replace("\n", "\n\n"),
        "3, 0,+1,02,3 \n9,4,5,6,255\n",
    ],
)
def test_each_line_is_a_label_and_the_pixels_row_by_row(path: Path, text: str) -> None:
    path.write_text(text)
    images, labels = read_table(path)
    assert images.dtype == labels.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 255]]]
    assert labels.tolist() == [3, 9]


@pytest.mark.parametrize("header", [True, False])
def test_csv_gives_the_same_as_idx_for_the_same_images(
    path: Path, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], header: bool
) -> None:
    table = pd.DataFrame(images.reshape(len(images), -1), columns=[f"pixel{number}" for number in range(1, 785)])
    table.insert(0, "label", labels)
    table.to_csv(path, index=False, header=header)
    read_images, read_labels = read_table(path)
    np.testing.assert_array_equal(read_images, images)
    np.testing.assert_array_equal(read_labels, labels)


HEADER = "label,a,b,c,d\n"
BYTE = "expected an integer from 0 to 255"
FORM = "expected a label and a square number of pixels"
FIRST = "expected the label first, then the pixels"
LAST = "does the label come last? If not, a header that begins with label says so"
INDEX = "is it an index, which pandas leaves out with index=False?"

# What a table is: its text, and what is then said.
WRONG = {
    "empty": ("", "found no images, expected one a line"),
    "a header alone": ("label,pixel1\n", "found no images, expected one a line"),
    "a pixel above 255": (
        "3" + ",0" * 16 + "\n9" + ",0" * 16 + "\n9" + ",0" * 15 + ",256\n",
        f"line 3, column 17: found '256', {BYTE}",
    ),
    "a negative pixel": ("3,0,1,2,3\n9,4,-1,6,7\n", f"line 2, column 3: found '-1', {BYTE}"),
    "pixels from 0 to 1": (
        HEADER + "3,0,1,1,0.5\n",
        f"line 2, column 5: found '0.5', {BYTE}; pixels from 0 to 1 have to be multiplied by 255 and rounded",
    ),
    "other fractions": ("3,0,1,2,7.5\n", f"line 1, column 5: found '7.5', {BYTE}"),
    "an absent value": ("3,0,,2,3\n", f"line 1, column 3: found '', {BYTE}"),
    "no number": ("3,0,1,2,nan\n", f"line 1, column 5: found 'nan', {BYTE}"),
    "classes as words": ("cat,0,1,2,3\n" * 2, f"line 1, column 1: found 'cat', {BYTE}"),
    "semicolons": ("3;0;1;2;3\n", "line 1: found fields apart by semicolons, expected commas"),
    "tabs": ("label\ta\tb\tc\td\n3\t0\t1\t2\t3\n", "line 1: found fields apart by tabs, expected commas"),
    "spaces": ("3 0 1 2 3\n", "line 1: found fields apart by spaces, expected commas"),
    "another name of the label": (
        "digit,a,b,c,d\n" + TABLE,
        "line 1: found a header that begins with 'digit', expected 'label'",
    ),
    "the label last, with a header": (
        "p," * 784 + "label\n" + "0," * 784 + "9\n",
        f"line 1: found label in column 785, {FIRST}",
    ),
    "the label last, without a header": (
        "0,1,2,3,9\n0,1,2,3,7\n",
        f"found 0 first in every line, {FIRST}; {LAST}",
    ),
    "the label last, after pixels that vary": (
        "9,0,1,2,0\n14,0,0,2,1\n9,0,0,2,2\n",
        f"found 2 values from 9 to 14 first, all from 0 to 2 last, {FIRST}; {LAST}",
    ),
    "pixels alone": ("9,200\n9,10\n", f"found 9 first in every line, {FIRST}; {LAST}"),
    "single quotes": ("'3','0','1','2','3'\n", "line 1: found a header that begins with \"'3'\", expected 'label'"),
    "a decimal comma": ("3;0,5;1;2;3\n", "line 1: found fields apart by semicolons, expected commas"),
    "an exponent": ("3,0,1e2,2,3\n", f"line 1, column 3: found '1e2', {BYTE}"),
    "other digits": ("3,0,１,2,3\n", f"line 1, column 3: found '１', {BYTE}"),
    "a quoted number": ('3,0,"1",2,3\n', f"line 1, column 3: found '\"1\"', {BYTE}"),
    "a comment": ("# digits\n" + TABLE, f"line 1, column 1: found '# digits', {BYTE}"),
    "a header twice": (HEADER + TABLE + HEADER, f"line 4, column 1: found 'label', {BYTE}"),
    "control characters": ("3,0,\x1b[2J,2,3\n", rf"line 1, column 3: found '\x1b[2J', {BYTE}"),
    "an index, with a header": (",label,a,b,c,d\n0,9,0,1,2,3\n", f"line 1: found label in column 2, {FIRST}"),
    "an index, without a header": (
        "0,9,0,1,2,3\n1,7,0,1,2,3\n",
        f"found 6 columns, {FORM}; is one of them an index, which pandas leaves out with index=False?",
    ),
    "a long index": (
        "".join(f"{line},9,0,1,2,3\n" for line in range(300)),
        f"line 257, column 1: found '256', {BYTE} as the label; {INDEX}",
    ),
    "a short line": (
        "3,0,1,2,3\n\n9,4,5,6\n",
        "line 3: found 4 columns, expected 5 as in the lines before",
    ),
    "a header without its end": (
        "label,a,b,c,d3,0,1,2,3\n" + TABLE,
        "line 1: found a header of 9 columns, expected 5 as below",
    ),
    "pixels of no square": ("3,0,1,2\n", f"found 4 columns, {FORM}"),
    "labels alone": ("3\n", f"found 1 columns, {FORM}"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_table_is_refused_with_one_clear_line(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_table(path)
    assert str(error.value) == f"{path}: {message}"


def test_what_the_page_says_is_refused_is() -> None:
    said = [message for _, message in WRONG.values()]
    for line in code_blocks("docs/own-data.md", "text")["refused"].splitlines():
        if line.startswith("data/raw/train.csv: "):
            assert line.removeprefix("data/raw/train.csv: ") in said


def test_labels_with_gaps_come_first_where_a_header_says_so(path: Path) -> None:
    path.write_text(HEADER + "9,0,1,2,0\n14,0,0,2,1\n")
    assert read_table(path)[1].tolist() == [9, 14]


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"3,0,1,\xff,3\n")
    with pytest.raises(InputError, match="line 1, column 4: found '\ufffd'"):
        read_table(path)


@settings(max_examples=500)
@given(
    start=st.integers(0, len(TABLE)),
    removed=st.integers(0, 3),
    inserted=st.one_of(st.text("0123456789,\n\r .-+e\"'#", max_size=4).map(str.encode), st.binary(max_size=4)),
)
def test_a_mutated_table_is_refused_or_read_as_it_stands(
    tmp_path_factory: pytest.TempPathFactory, start: int, removed: int, inserted: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.csv"
    path.write_bytes(TABLE[:start].encode() + inserted + TABLE[start + removed :].encode())
    try:
        images, labels = read_table(path)
    except InputError:
        return
    lines = path.read_text("utf-8-sig", errors="replace").split("\n")
    expected = [[int(field.strip()) for field in line.split(",")] for line in lines if line]
    assert np.column_stack([labels, images.reshape(len(images), -1)]).tolist() == expected
