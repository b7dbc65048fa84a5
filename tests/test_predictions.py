"""Loading predictions: what is refused."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.data.dataset import SPLITS
from pipeline.evaluation.metrics import scores
from pipeline.evaluation.predictions import SeedPredictions, best_seed, load_predictions
from pipeline.io import InputError, write_npz

# Five images of three classes:           actual 0  0  1  1  2
#                                      predicted 0  1  1  1  0
LABELS = np.array([0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0, 1, 0], [0.5, 0.25, 0.25]], np.float32
)


def predictions(**changed: npt.ArrayLike) -> dict[str, npt.ArrayLike]:
    arrays: dict[str, npt.ArrayLike] = {f"{split}_labels": LABELS for split in SPLITS}
    return arrays | {f"{split}_probabilities": np.stack([PROBABILITIES] * 2) for split in SPLITS} | changed


def test_predictions_are_loaded_by_split(tmp_path: Path) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(test_labels=LABELS[::-1]))
    splits = load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"].labels.tolist() == [0, 0, 1, 1, 2]
    assert splits["test"].labels.tolist() == [2, 1, 1, 0, 0]
    assert splits["test"].predicted.tolist() == [[0, 1, 1, 1, 0]] * 2
    assert [seed.predicted.tolist() for seed in splits["test"].seeds] == [[0, 1, 1, 1, 0]] * 2


def test_the_best_seed_is_the_most_accurate_on_validation() -> None:
    certain = np.eye(2, dtype=np.float32)[[[0, 1, 1], [0, 0, 1], [0, 1, 0], [0, 0, 1]]]
    assert best_seed(SeedPredictions(np.array([0, 0, 1], np.uint8), certain)) == 1


def altered(row: int, values: list[float]) -> npt.NDArray[np.float32]:
    probabilities = np.stack([PROBABILITIES] * 2)
    probabilities[1, row] = values
    return probabilities


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("test_labels", LABELS.astype(np.int64), r"found int64 \(5,\), expected uint8"),
        ("test_labels", LABELS[:0], r"found uint8 \(0,\), expected uint8 \(n,\) with at least one image"),
        ("test_labels", np.array([0, 0, 3, 1, 2], np.uint8), "found label 3 in row 2, expected 0 to 2"),
        ("test_probabilities", PROBABILITIES, r"found float32 \(5, 3\), expected float32 \(seeds, 5, 3\)"),
        ("test_probabilities", PROBABILITIES[None, :4], r"found float32 \(1, 4, 3\), expected float32 \(seeds, 5, 3\)"),
        (
            "test_probabilities",
            PROBABILITIES[None, :, :2],
            r"found float32 \(1, 5, 2\), expected float32 \(seeds, 5, 3\)",
        ),
        ("test_probabilities", PROBABILITIES[None][:0], r"found float32 \(0, 5, 3\), expected float32 \(seeds, 5, 3\)"),
        ("test_probabilities", PROBABILITIES[None].astype(np.float64), r"found float64 \(1, 5, 3\), expected float32"),
        ("train_probabilities", altered(3, [np.nan, 1, 0]), "found nan in row 3, class 0, seed index 1"),
        ("train_probabilities", altered(3, [0, np.inf, 0]), "found inf in row 3, class 1"),
        ("validation_probabilities", altered(1, [-0.5, 1, 0.5]), "found -0.5 in row 1, class 0"),
        ("validation_probabilities", altered(1, [0, 0, 1.5]), "found 1.5 in row 1, class 2"),
        (
            "validation_probabilities",
            altered(4, [0.5, 0.25, 0.2]),
            r"found a sum of 0\.950000 in row 4, seed index 1, expected 1",
        ),
    ],
)
def test_wrong_arrays_are_refused_by_file_array_and_row(
    tmp_path: Path, name: str, array: npt.ArrayLike, message: str
) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(**{name: array}))
    with pytest.raises(InputError, match=rf"cnn2\.npz, {name}: {message}"):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")


def test_rows_may_miss_one_by_the_rounding_of_float32(tmp_path: Path) -> None:
    thirds = np.full((5, 3), np.nextafter(np.float32(1 / 3), np.float32(1)), np.float32)
    write_npz(tmp_path / "cnn2.npz", predictions(test_probabilities=np.stack([thirds] * 2)))
    found = load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")["test"]
    loss = scores(found.seeds[0])["log_loss"]
    assert loss == pytest.approx(np.log(3), rel=1e-6)


def test_splits_with_unlike_numbers_of_seeds_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(test_probabilities=PROBABILITIES[np.newaxis]))
    with pytest.raises(
        InputError, match=r"cnn2\.npz: found seeds: 2 in train, 2 in validation, 1 in test; expected the"
    ):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")


def test_an_archive_without_a_split_is_refused(tmp_path: Path) -> None:
    arrays = predictions()
    del arrays["validation_labels"]
    write_npz(tmp_path / "cnn2.npz", arrays)
    with pytest.raises(InputError, match=r"cnn2\.npz: array validation_labels not found"):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")


def test_absent_predictions_name_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cnn2\.npz: file not found; run `dvc repro train@cnn2`"):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cnn2.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays"):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "cnn2.npz"
    write_npz(path, predictions())
    content = bytearray(path.read_bytes())
    content[100] ^= 1  # in the compressed bytes of the first array
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays"):
        load_predictions(path, classes=3, stage="train@cnn2")


def test_a_pickled_object_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "cnn2.npz", train_labels=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays, found: Object arrays"):
        load_predictions(tmp_path / "cnn2.npz", classes=3, stage="train@cnn2")
