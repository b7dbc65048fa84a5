from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.artifacts import write_npz
from pipeline.errors import InputError
from pipeline.evaluation.predictions import PARTS, SeedPredictions, kept_seed, read_predictions
from pipeline.evaluation.scores import class_scores, mean_scores, scores, standard_deviations

# Five images of three classes:           actual 0  0  1  1  2
#                                      predicted 0  1  1  1  0
LABELS = np.array([0, 0, 1, 1, 2], np.uint8)
PROBABILITIES = np.array(
    [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0, 1, 0], [0.5, 0.25, 0.25]], np.float32
)


def test_scores_equal_those_counted_by_hand() -> None:
    assert scores(LABELS, PROBABILITIES) == pytest.approx(
        {
            "accuracy": 3 / 5,
            "f1_macro": (1 / 2 + 4 / 5 + 0) / 3,
            "f1_weighted": (2 * 1 / 2 + 2 * 4 / 5 + 0) / 5,
            "precision_macro": (1 / 2 + 2 / 3 + 0) / 3,
            "precision_weighted": (2 * 1 / 2 + 2 * 2 / 3 + 0) / 5,
            "recall_macro": (1 / 2 + 1 + 0) / 3,
            "recall_weighted": (2 * 1 / 2 + 2 * 1 + 0) / 5,
            "log_loss": (np.log(2) + np.log(4) + np.log(2) + np.log(1) + np.log(4)) / 5,
        },
        rel=1e-6,
    )


def test_the_first_of_equally_probable_classes_is_predicted() -> None:
    assert scores(np.array([0], np.uint8), np.array([[0.5, 0.5]], np.float32))["accuracy"] == 1


def test_a_class_with_neither_image_nor_prediction_counts_as_zero_in_macro_means_only() -> None:
    perfect = np.zeros(4, np.uint8)
    counted = class_scores(perfect, perfect, classes=4)
    assert counted["f1_macro"] == counted["precision_macro"] == counted["recall_macro"] == 1 / 4
    assert counted["accuracy"] == counted["f1_weighted"] == 1


def test_one_confident_mistake_costs_a_finite_loss() -> None:
    loss = scores(np.array([1], np.uint8), np.array([[1, 0]], np.float32))["log_loss"]
    assert loss == pytest.approx(23 * np.log(2), rel=1e-6)  # float32 resolves 2**-23


def predictions(**changed: npt.ArrayLike) -> dict[str, npt.ArrayLike]:
    arrays: dict[str, npt.ArrayLike] = {f"{part}_labels": LABELS for part in PARTS}
    return arrays | {f"{part}_probabilities": np.stack([PROBABILITIES] * 2) for part in PARTS} | changed


def test_predictions_are_read_by_part(tmp_path: Path) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(test_labels=LABELS[::-1]))
    parts = read_predictions(tmp_path / "cnn2.npz", classes=3)
    assert list(parts) == ["train", "validation", "test"]
    assert parts["train"].labels.tolist() == [0, 0, 1, 1, 2]
    assert parts["test"].labels.tolist() == [2, 1, 1, 0, 0]
    assert parts["test"].predicted.tolist() == [[0, 1, 1, 1, 0]] * 2
    assert [seed.predicted.tolist() for seed in parts["test"].seeds] == [[0, 1, 1, 1, 0]] * 2


def test_the_kept_seed_is_the_most_accurate_and_of_equals_the_first() -> None:
    certain = np.eye(2, dtype=np.float32)[[[0, 1, 1], [0, 0, 1], [0, 1, 0], [0, 0, 1]]]
    assert kept_seed(SeedPredictions(np.array([0, 0, 1], np.uint8), certain)) == 1


def test_scores_of_seeds_have_a_mean_and_from_two_on_a_standard_deviation() -> None:
    of_seeds = [{"accuracy": 0.5, "f1_macro": 0.2}, {"accuracy": 0.7, "f1_macro": 0.2}]
    assert mean_scores(of_seeds) == pytest.approx({"accuracy": 0.6, "f1_macro": 0.2})
    assert standard_deviations(of_seeds) == pytest.approx({"accuracy_std": 0.02**0.5, "f1_macro_std": 0})
    assert standard_deviations(of_seeds[:1]) == {}


def altered(row: int, values: list[float]) -> npt.NDArray[np.float32]:
    probabilities = np.stack([PROBABILITIES] * 2)
    probabilities[1, row] = values
    return probabilities


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("test_labels", LABELS.astype(np.int64), r"found int64 \(5,\), expected uint8"),
        ("test_labels", LABELS[:0], r"found uint8 \(0,\), expected uint8 \(n,\) of at least one image"),
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
        ("train_probabilities", altered(3, [np.nan, 1, 0]), "found nan in row 3 for class 0 of seed 2 in their order"),
        ("train_probabilities", altered(3, [0, np.inf, 0]), "found inf in row 3 for class 1"),
        ("validation_probabilities", altered(1, [-0.5, 1, 0.5]), "found -0.5 in row 1 for class 0"),
        ("validation_probabilities", altered(1, [0, 0, 1.5]), "found 1.5 in row 1 for class 2"),
        (
            "validation_probabilities",
            altered(4, [0.5, 0.25, 0.2]),
            r"found a sum of 0\.950000 in row 4 of seed 2 in their order, expected 1",
        ),
    ],
)
def test_predictions_that_are_none_are_refused_by_file_array_and_row(
    tmp_path: Path, name: str, array: npt.ArrayLike, message: str
) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(**{name: array}))
    with pytest.raises(InputError, match=rf"cnn2\.npz, {name}: {message}"):
        read_predictions(tmp_path / "cnn2.npz", classes=3)


def test_rows_may_miss_one_by_the_rounding_of_float32(tmp_path: Path) -> None:
    thirds = np.full((5, 3), np.nextafter(np.float32(1 / 3), np.float32(1)), np.float32)
    write_npz(tmp_path / "cnn2.npz", predictions(test_probabilities=np.stack([thirds] * 2)))
    loss = scores(LABELS, read_predictions(tmp_path / "cnn2.npz", classes=3)["test"].probabilities[0])["log_loss"]
    assert loss == pytest.approx(np.log(3), rel=1e-6)


def test_parts_of_unlike_numbers_of_seeds_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "cnn2.npz", predictions(test_probabilities=PROBABILITIES[np.newaxis]))
    with pytest.raises(
        InputError, match=r"cnn2\.npz: found seeds: 2 of train, 2 of validation, 1 of test; expected as"
    ):
        read_predictions(tmp_path / "cnn2.npz", classes=3)


def test_an_archive_without_a_part_is_refused(tmp_path: Path) -> None:
    arrays = predictions()
    del arrays["validation_labels"]
    write_npz(tmp_path / "cnn2.npz", arrays)
    with pytest.raises(InputError, match=r"cnn2\.npz: found no array validation_labels"):
        read_predictions(tmp_path / "cnn2.npz", classes=3)


def test_absent_predictions_are_refused_with_the_stage_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cnn2\.npz: found no such file; `dvc repro train@cnn2` makes it"):
        read_predictions(tmp_path / "cnn2.npz", classes=3)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cnn2.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays"):
        read_predictions(tmp_path / "cnn2.npz", classes=3)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "cnn2.npz"
    write_npz(path, predictions())
    content = bytearray(path.read_bytes())
    content[100] ^= 1  # in the compressed bytes of the first array
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays"):
        read_predictions(path, classes=3)


def test_a_pickled_object_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "cnn2.npz", train_labels=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"cnn2\.npz: expected an archive of arrays, found: Object arrays"):
        read_predictions(tmp_path / "cnn2.npz", classes=3)
