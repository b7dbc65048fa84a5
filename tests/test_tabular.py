from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset.tabular import read_table
from pipeline.errors import InputError

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no images, expected one a line"),
        ("label,pixel1\n", "found no images, expected one a line"),
        ("3,0,1,2,3\n9,4,256,6,7\n", "line 2, column 3: found '256', expected an integer from 0 to 255"),
        ("3,0,1,2,3\n9,4,-1,6,7\n", "line 2, column 3: found '-1', expected an integer from 0 to 255"),
        ("label,a,b,c,d\n3,0,1,2,0.5\n", "line 2, column 5: found '0.5', expected an integer from 0 to 255"),
        ("3,0,,2,3\n", "line 1, column 3: found '', expected an integer from 0 to 255"),
        ("3,0,1,2,nan\n", "line 1, column 5: found 'nan', expected an integer from 0 to 255"),
        ("pixel1,class\n0,3\n", "line 1, column 1: found 'pixel1', expected an integer from 0 to 255"),
        ("3,0,1,2,3\n\n9,4,5,6\n", "line 3: found 4 columns, expected 5 as in the lines before"),
        ("label,a,b,c,d3,0,1,2,3\n" + TABLE, "line 1: found a header of 9 columns, expected 5 as below"),
        ("3,0,1,2\n", "found 4 columns, expected a label and a square number of pixels"),
        ("3\n", "found 1 columns, expected a label and a square number of pixels"),
    ],
)
def test_a_wrong_table_is_refused_with_line_and_column(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_table(path)
    assert str(error.value) == f"{path}: {message}"


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
