"""The same images, in whatever form they are given, give the same data set."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from pipeline.artifacts import write_csv
from pipeline.dataset.class_folders import list_images
from pipeline.dataset.formats import Dataset, read_dataset
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.schema import DataParams
from tools.digits import main as write_digits

FASHION = read_params().data
DIGITS = read_params(Path("docs/digits.yaml")).data


def changed(data: DataParams, **fields: Any) -> DataParams:
    return data.model_copy(update=fields)


def assert_same(first: Dataset, second: Dataset) -> None:
    for field in Dataset._fields:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_csv_and_idx_give_the_same_data_set(raw_folder: Path, tmp_path: Path) -> None:
    idx, classes = read_dataset(FASHION, raw_folder)
    for part, name in {"train": FASHION.csv.train.name, "test": FASHION.csv.test.name}.items():
        images, labels = getattr(idx, f"{part}_images"), getattr(idx, f"{part}_labels")
        table = np.column_stack([labels, images.reshape(len(images), -1)])
        pd.DataFrame(table).rename(columns={0: "label"}).to_csv(tmp_path / name, index=False)
    csv, same_classes = read_dataset(changed(FASHION, format="csv"), tmp_path)
    assert_same(csv, idx)
    assert classes == same_classes == FASHION.classes


def test_training_and_test_images_are_not_exchanged(raw_folder: Path) -> None:
    dataset, _ = read_dataset(FASHION, raw_folder)
    assert len(dataset.train_images) == len(dataset.train_labels) == 600
    assert len(dataset.test_images) == len(dataset.test_labels) == 200


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scikit-learn's digits in all forms, and the list of their image files."""
    monkeypatch.chdir(tmp_path)
    write_digits()
    folder = Path("data/local/digits")
    write_csv(folder / "images.csv", list_images(DIGITS.images))
    return folder


def test_the_digits_are_the_same_in_all_three_forms(digits: Path) -> None:
    (idx, *same), names = zip(
        *(read_dataset(changed(DIGITS, format=form), digits) for form in ("idx", "csv", "images")), strict=True
    )
    for other in same:
        assert_same(other, idx)
    assert list(names) == [list("0123456789")] * 3
    found = np.concatenate([idx.train_images, idx.test_images])[..., 0] / 255
    original = load_digits()
    assert idx.train_images.shape == (1437, 8, 8, 1)
    assert sorted(map(bytes, np.round(found * 16).astype(np.uint8))) == sorted(map(bytes, original.images.astype("u1")))
    zeros = original.images[:1437][original.target[:1437] == 0]
    np.testing.assert_allclose(found[: len(zeros)], zeros / 16, atol=0.5 / 255)


@pytest.mark.parametrize("form", ["idx", "csv"])
def test_transposed_images_are_put_upright(digits: Path, form: str) -> None:
    upright, _ = read_dataset(changed(DIGITS, format=form), digits)
    lying, _ = read_dataset(changed(DIGITS, format=form, transposed=True), digits)
    np.testing.assert_array_equal(lying.train_images, upright.train_images.swapaxes(1, 2))
    np.testing.assert_array_equal(lying.test_images, upright.test_images.swapaxes(1, 2))


def in_csv(folder: Path) -> str:
    lines = (folder / "test.csv").read_text().splitlines()
    lines[6] = "77" + lines[6][1:]
    (folder / "test.csv").write_text("label" + ",pixel" * 64 + "\n\n" + "\n".join(lines))
    return r"test\.csv: line 9: found label 77, which no training image has"


def in_idx(folder: Path) -> str:
    content = bytearray((folder / "test-labels").read_bytes())
    content[8 + 6] = 77
    (folder / "test-labels").write_bytes(content)
    return r"test-labels: image 6 \(counted from 0\): found label 77, which no training image has"


@pytest.mark.parametrize(("form", "spoil"), [("csv", in_csv), ("idx", in_idx)])
def test_a_label_that_fits_no_class_is_named_with_file_and_row(
    digits: Path, tmp_path: Path, form: str, spoil: Callable[[Path], str]
) -> None:
    shutil.copytree(digits, tmp_path / "spoilt", ignore=shutil.ignore_patterns("*.png"))
    message = spoil(tmp_path / "spoilt")
    with pytest.raises(InputError, match=message):
        read_dataset(changed(DIGITS, format=form), tmp_path / "spoilt")
