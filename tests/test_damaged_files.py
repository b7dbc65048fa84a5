"""What evaluation and report read: a file that is damaged or holds something else is refused by its name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.config import Layout
from pipeline.data.dataset import load_dataset
from pipeline.data.duplicates import load_duplicates
from pipeline.evaluation.predictions import load_predictions
from pipeline.io import InputError, read_npz, write_npz
from pipeline.report.results import load_result
from tests.helpers.small_run import CLASSES, CONFIG, small_source

MODEL = "mlp"


@pytest.fixture(scope="module")
def copied(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model's files, to be damaged."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(data, folder, dirs_exist_ok=True)
    small_source(folder, [MODEL])
    return folder


def result(folder: Path) -> None:
    read = load_result(Layout(folder), MODEL, CONFIG, CLASSES)
    assert np.isfinite(read.curves).all(axis=None)
    assert read.curves["epoch"].tolist() == list(range(1, read.run.epochs + 1))
    assert set(read.actual) | set(read.predicted) <= set(range(len(CLASSES)))


def duplicates(folder: Path) -> None:
    assert (load_duplicates(folder / "duplicates.csv")[["index_a", "index_b", "rmse"]] >= 0).all(axis=None)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (f"curves/{MODEL}.csv", result),
        (f"runs/{MODEL}.json", result),
        (f"evaluation/{MODEL}/confusion.csv", result),
        ("duplicates.csv", duplicates),
    ],
)
def test_a_mutated_file_is_refused_by_name_or_holds_numbers(
    copied: Path, name: str, read: Callable[[Path], None]
) -> None:
    path = copied / name
    whole = path.read_bytes()

    @settings(max_examples=500)
    @given(
        start=st.integers(0, len(whole)),
        removed=st.integers(0, 8) | st.just(len(whole)),
        inserted=st.binary(max_size=6) | st.text("0123456789eE.,+-\n\"'{}[]:naNinf", max_size=6).map(str.encode),
    )
    @example(start=79, removed=7, inserted=b"E")  # of the curves: an epoch that no integer can hold
    def mutate(start: int, removed: int, inserted: bytes) -> None:
        path.write_bytes(whole[:start] + inserted + whole[start + removed :])
        try:
            read(copied)
        except InputError as error:
            assert name in str(error)  # noqa: PT017  # that it is raised is not certain

    try:
        mutate()
    finally:
        path.write_bytes(whole)


def read_all(folder: Path) -> None:
    load_dataset(folder / "prepared.npz", folder / "splits/standard.npz")
    load_predictions(folder / f"predictions/{MODEL}.npz", len(CLASSES), f"train@{MODEL}")


Arrays = dict[str, Any]

# What is done to the arrays of a file, and what is then said.
WRONG: dict[str, list[tuple[str, Callable[[Arrays], object], str]]] = {
    "prepared.npz": [
        ("absent", lambda arrays: arrays.pop("test_labels"), "found no array test_labels"),
        (
            "shape",
            lambda arrays: arrays.update(train_images=arrays["train_images"][0]),
            r"found uint8 \(",
        ),
        ("dtype", lambda arrays: arrays.update(test_images=arrays["test_images"] / 255), "test_images: found float64"),
        (
            "length",
            lambda arrays: arrays.update(test_labels=arrays["test_labels"][1:]),
            "200 test_images and 199",
        ),
        ("none", lambda arrays: arrays.update(test_images=arrays["test_images"][:0]), "found 0 test_images"),
    ],
    "splits/standard.npz": [
        ("scale", lambda arrays: arrays.update(scale=np.float32(0)), "expected finite numbers and a scale above 0"),
        ("offset", lambda arrays: arrays.update(offset=np.float32("nan")), "expected finite numbers and a scale"),
        ("absent", lambda arrays: arrays.pop("validation"), "found no array validation"),
        ("dtype", lambda arrays: arrays.update(train=arrays["train"].astype(float)), "train: found float64"),
        ("outside", lambda arrays: arrays.update(train=arrays["train"] + 1), "expected each of 600 in one"),
        ("negative", lambda arrays: arrays.update(train=arrays["train"] - 600), "expected each of 600 in one"),
        ("shared", lambda arrays: arrays.update(validation=arrays["train"]), "expected each of 600 in one"),
        ("left out", lambda arrays: arrays.update(train=arrays["train"][1:]), "expected each of 600 in one"),
    ],
    f"predictions/{MODEL}.npz": [
        ("absent", lambda arrays: arrays.pop("test_labels"), "array test_labels not found"),
        (
            "dtype",
            lambda arrays: arrays.update(test_labels=arrays["test_labels"].astype(int)),
            "found int64",
        ),
        (
            "no seeds",  # as files were before models had several
            lambda arrays: arrays.update(test_probabilities=arrays["test_probabilities"][0]),
            r"found float32 \(200, 10\), expected float32 \(seeds, 200, 10\)",
        ),
    ],
}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        pytest.param(name, change, said, id=f"{name} {what}")
        for name, all_ in WRONG.items()
        for what, change, said in all_
    ],
)
def test_arrays_of_another_kind_are_refused(
    data: Path, tmp_path: Path, name: str, change: Callable[[Arrays], object], said: str
) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    arrays: Arrays = read_npz(tmp_path / name)
    change(arrays)
    write_npz(tmp_path / name, arrays)
    with pytest.raises(InputError, match=f"^{tmp_path / name}.*{said}"):
        read_all(tmp_path)
