"""The same images, in whatever form they are given, give the same data set."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from pipeline.config import load_config
from pipeline.config_data import (
    CsvData,
    CsvFiles,
    DataConfig,
    HeldOut,
    IdxData,
    IdxFiles,
    IdxPair,
    ImageData,
    RawFile,
)
from pipeline.data.preprocess import RawDataset, read_raw
from pipeline.data.sources.class_folders import list_images
from pipeline.io import InputError, write_csv
from tests.helpers.clone import ROOT
from tools.digits import main as write_digits

FASHION = load_config().data
DIGITS = load_config(ROOT / "configs/digits.yaml").data
FOLDER = Path("data/local/digits")


def raw(name: str) -> RawFile:
    return RawFile(name=name, sha256=None)


def as_csv(data: DataConfig, transposed: bool = False) -> CsvData:
    """The same data, expected in two tables."""
    files = CsvFiles(train=raw("train.csv"), test=raw("test.csv"), transposed=transposed)
    return CsvData(sources=data.sources, classes=data.classes, normalization="minmax", format="csv", csv=files)


def as_idx(data: DataConfig, transposed: bool = False) -> IdxData:
    """The same data, expected in four IDX files."""
    names = ("train_images", "train_labels", "test_images", "test_labels")
    files = IdxFiles(**{name: raw(name.replace("_", "-")) for name in names}, transposed=transposed)
    return IdxData(sources=data.sources, classes=data.classes, normalization="minmax", format="idx", idx=files)


def held_out_csv(test: HeldOut) -> CsvData:
    """The training table alone."""
    files = CsvFiles(train=raw("train.csv"), test=test, transposed=False)
    return as_csv(DIGITS).model_copy(update={"csv": files})


def held_out_idx(test: HeldOut) -> IdxData:
    """The training pair alone."""
    files = IdxPair(train_images=raw("train-images"), train_labels=raw("train-labels"), test=test, transposed=False)
    return as_idx(DIGITS).model_copy(update={"idx": files})


FORMS: dict[str, Callable[..., CsvData | IdxData]] = {"csv": as_csv, "idx": as_idx}


def assert_same(first: RawDataset, second: RawDataset) -> None:
    for field in RawDataset._fields:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_csv_and_idx_give_the_same_data_set(raw_folder: Path, tmp_path: Path) -> None:
    idx, classes, source = read_raw(FASHION, raw_folder)
    assert source == "labels from train-labels-idx1-ubyte: 0 to 9"
    for split in ("train", "test"):
        images, labels = getattr(idx, f"{split}_images"), getattr(idx, f"{split}_labels")
        table = np.column_stack([labels, images.reshape(len(images), -1)])
        pd.DataFrame(table).rename(columns={0: "label"}).to_csv(tmp_path / f"{split}.csv", index=False)
    csv, same_classes, source = read_raw(as_csv(FASHION), tmp_path)
    assert source == "labels from column 1: 0 to 9"
    assert_same(csv, idx)
    assert classes == same_classes == FASHION.classes


def test_training_and_test_images_are_not_exchanged(raw_folder: Path) -> None:
    dataset = read_raw(FASHION, raw_folder)[0]
    assert len(dataset.train_images) == len(dataset.train_labels) == 600
    assert len(dataset.test_images) == len(dataset.test_labels) == 200


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scikit-learn's digits in all forms, and the list of their image files."""
    monkeypatch.chdir(tmp_path)
    write_digits()
    assert isinstance(DIGITS, ImageData)
    write_csv(FOLDER / "images.csv", list_images(DIGITS.images))
    return FOLDER


def test_the_digits_are_the_same_in_all_three_forms(digits: Path) -> None:
    forms: list[DataConfig] = [as_idx(DIGITS), as_csv(DIGITS), DIGITS]
    (idx, *same), names, sources = zip(*(read_raw(data, digits) for data in forms), strict=True)
    assert sources[-1] == "labels from the folders' names"
    for other in same:
        assert_same(other, idx)
    assert list(names) == [list("0123456789")] * 3
    found = np.concatenate([idx.train_images, idx.test_images])[..., 0] / 255
    original = load_digits()
    assert idx.train_images.shape == (1437, 8, 8, 1)
    assert sorted(map(bytes, np.round(found * 16).astype(np.uint8))) == sorted(map(bytes, original.images.astype("u1")))
    zeros = original.images[:1437][original.target[:1437] == 0]
    np.testing.assert_allclose(found[: len(zeros)], zeros / 16, atol=0.5 / 255)


@pytest.mark.parametrize("form", FORMS)
def test_transposed_images_are_put_upright(digits: Path, form: str) -> None:
    upright = read_raw(FORMS[form](DIGITS), digits)[0]
    lying = read_raw(FORMS[form](DIGITS, transposed=True), digits)[0]
    np.testing.assert_array_equal(lying.train_images, upright.train_images.swapaxes(1, 2))
    np.testing.assert_array_equal(lying.test_images, upright.test_images.swapaxes(1, 2))


def test_a_part_without_a_test_part_gives_the_same_in_all_forms(digits: Path) -> None:
    assert isinstance(DIGITS, ImageData)
    test = HeldOut(fraction=0.2, seed=0)
    folders = DIGITS.images.model_copy(update={"test": test})
    write_csv(FOLDER / "images.csv", list_images(folders))
    forms: list[DataConfig] = [DIGITS.model_copy(update={"images": folders}), held_out_csv(test), held_out_idx(test)]
    first, *others = (read_raw(data, digits)[0] for data in forms)
    assert (len(first.train_labels), len(first.test_labels)) == (1149, 288)
    for other in others:
        assert_same(other, first)
    reseeded = read_raw(held_out_csv(HeldOut(fraction=0.2, seed=1)), digits)[0]
    assert not np.array_equal(reseeded.test_images, first.test_images)


def test_missing_labels_are_refused_before_the_split(digits: Path, tmp_path: Path) -> None:
    for name in ("train-images", "test-labels"):
        shutil.copy(digits / name, tmp_path / name.replace("test", "train"))
    with pytest.raises(InputError, match=r"^training labels: found 360, expected 1,437, one an image$"):
        read_raw(held_out_idx(HeldOut(fraction=0.2, seed=0)), tmp_path)


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
def test_a_label_that_fits_no_class_is_named_with_its_row(
    digits: Path, tmp_path: Path, form: str, spoil: Callable[[Path], str]
) -> None:
    shutil.copytree(digits, tmp_path / "spoilt", ignore=shutil.ignore_patterns("*.png"))
    message = spoil(tmp_path / "spoilt")
    with pytest.raises(InputError, match=message):
        read_raw(FORMS[form](DIGITS), tmp_path / "spoilt")
