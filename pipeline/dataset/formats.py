"""The data set as arrays, from the files of either form."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dataset.idx import read_images, read_labels
from pipeline.dataset.tabular import read_table
from pipeline.params.schema import DataParams


class Dataset(NamedTuple):
    """Images, uint8 of shape (n, height, width), and labels, uint8 of shape (n,), of both parts."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]


def read_dataset(data: DataParams, folder: Path) -> Dataset:
    """Read the files that `data` names from `folder`, in the form it names.

    Raises InputError naming the file and what is wrong with it.
    """
    if data.format == "csv":
        return Dataset(*read_table(folder / data.csv.train.name), *read_table(folder / data.csv.test.name))
    return Dataset(
        read_images(folder / data.idx.train_images.name),
        read_labels(folder / data.idx.train_labels.name),
        read_images(folder / data.idx.test_images.name),
        read_labels(folder / data.idx.test_labels.name),
    )
