from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.formats import Dataset, read_dataset
from pipeline.params.reading import read_params


def test_both_forms_give_the_same_data_set(raw_folder: Path, tmp_path: Path) -> None:
    params = read_params().data
    idx = read_dataset(params.model_copy(update={"format": "idx"}), raw_folder)
    for part, name in {"train": params.csv.train.name, "test": params.csv.test.name}.items():
        images, labels = getattr(idx, f"{part}_images"), getattr(idx, f"{part}_labels")
        table = np.column_stack([labels, images.reshape(len(images), -1)])
        pd.DataFrame(table).rename(columns={0: "label"}).to_csv(tmp_path / name, index=False)
    csv = read_dataset(params.model_copy(update={"format": "csv"}), tmp_path)
    for field in Dataset._fields:
        np.testing.assert_array_equal(getattr(csv, field), getattr(idx, field))


def test_training_and_test_images_are_not_exchanged(raw_folder: Path) -> None:
    dataset = read_dataset(read_params().data, raw_folder)
    assert len(dataset.train_images) == len(dataset.train_labels) == 600
    assert len(dataset.test_images) == len(dataset.test_labels) == 200
