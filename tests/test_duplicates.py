from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist

from pipeline.data.duplicates import NEAR, duplicates_table, load_duplicates, near_pairs, repeated_in_test
from pipeline.io import InputError, write_csv


def every_pair(images: npt.NDArray[np.uint8], distance: float) -> set[tuple[int, int]]:
    """The oracle: all pairs compared by SciPy, root mean square of the differences."""
    first, second = np.triu_indices(len(images), 1)
    distances = pdist(images.reshape(len(images), -1).astype(float)) / np.sqrt(images[0].size)
    near = distances <= distance
    return set(zip(first[near].tolist(), second[near].tolist(), strict=True))


@pytest.mark.parametrize("distance", [0, 10, 25, 40])
def test_real_images_give_the_pairs_of_an_exhaustive_search(images: npt.NDArray[np.uint8], distance: float) -> None:
    with_copies = np.concatenate([images, images[:3], np.clip(images[3:6].astype(int) + 4, 0, 255).astype(np.uint8)])
    pairs, distances = near_pairs(with_copies[..., np.newaxis], distance)
    assert set(map(tuple, pairs.tolist())) == every_pair(with_copies, distance)
    assert len(pairs) >= 3
    assert np.all(np.diff(distances) >= 0)
    assert np.all(distances <= distance)


@given(
    arrays(np.uint8, st.tuples(st.integers(2, 6), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))),
    st.floats(0, 255),
)
def test_no_pair_is_missed_or_invented(images: npt.NDArray[np.uint8], distance: float) -> None:
    pairs, distances = near_pairs(images, distance)
    assert set(map(tuple, pairs.tolist())) == every_pair(images, distance)
    for (first, second), found in zip(pairs, distances, strict=True):
        difference = images[first].astype(float) - images[second]
        assert found == pytest.approx(np.sqrt(np.mean(difference**2)))


def square(*values: int) -> npt.NDArray[np.uint8]:
    """Images of 2 × 2 pixels, each of one value."""
    return np.repeat(np.array(values, np.uint8), 4).reshape(-1, 2, 2, 1)


def test_pairs_name_split_index_and_rmse_the_nearest_first() -> None:
    table = duplicates_table(square(0, 100, 200, 104), square(100, 203))
    assert table.to_dict("split")["data"] == [
        ["train", 1, "test", 0, 0.0],
        ["train", 2, "test", 1, 3.0],
        ["train", 1, "train", 3, 4.0],
        ["train", 3, "test", 0, 4.0],
    ]
    assert table["rmse"].max() <= NEAR


def test_test_images_that_repeat_an_earlier_one_count_once() -> None:
    table = duplicates_table(square(0, 100), square(50, 100, 101, 50, 250))
    assert repeated_in_test(table).tolist() == [1, 2, 3]  # of the two images of 50, the first stays


def test_no_duplicates_give_an_empty_table_that_reads_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "duplicates.csv", duplicates_table(square(0, 100), square(200)))
    table = load_duplicates(tmp_path / "duplicates.csv")
    assert table.empty
    assert repeated_in_test(table).tolist() == []


def test_a_table_reads_back(tmp_path: Path) -> None:
    table = duplicates_table(square(0, 100), square(100, 203, 200))
    write_csv(tmp_path / "duplicates.csv", table)
    assert load_duplicates(tmp_path / "duplicates.csv").to_dict() == table.to_dict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index_a,index_b\n1,2\n", "expected the columns split_a, index_a, split_b, index_b, rmse"),
        ("split_a,index_a,split_b,index_b,rmse\ntrain,x,test,1,0\n", "expected the columns"),
        ("split_a,index_a,split_b,index_b,rmse\ntrain,1e20,test,1,0\n", "expected the columns"),
        ("split_a,index_a,split_b,index_b,rmse\ntrain,1,exam,1,0\n", "found a split in line 2"),
        ("", "expected the columns"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "duplicates.csv").write_text(text)
    with pytest.raises(InputError, match=rf"duplicates\.csv: {message}"):
        load_duplicates(tmp_path / "duplicates.csv")
