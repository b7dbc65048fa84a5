"""The data set as arrays, from the files of any form."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dataset.classes import counted_from_zero
from pipeline.dataset.idx import label_place, read_images, read_labels
from pipeline.dataset.image_list import read_listed
from pipeline.dataset.tabular import read_table, row_place
from pipeline.params.schema import DataParams

Array = npt.NDArray[np.uint8]


class Dataset(NamedTuple):
    """Images, uint8 (n, height, width, channels), and labels, uint8 (n,) and counted from 0, of both parts."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def read_dataset(data: DataParams, folder: Path) -> tuple[Dataset, list[str]]:
    """Read the files that `data` names from `folder`, in the form it names: the arrays and the class names.

    Raises InputError naming the file and what is wrong with it.
    """
    if data.format == "images":
        arrays, classes = read_listed(folder / "images.csv", data.images, data.classes)
        return Dataset(**arrays), classes
    if data.format == "csv":
        tables = folder / data.csv.train.name, folder / data.csv.test.name
        (train_images, train), (test_images, test) = map(read_table, tables)
        places = [partial(row_place, table) for table in tables]
    else:
        labels = folder / data.idx.train_labels.name, folder / data.idx.test_labels.name
        images = folder / data.idx.train_images.name, folder / data.idx.test_images.name
        (train_images, test_images), (train, test) = map(read_images, images), map(read_labels, labels)
        places = [partial(label_place, file) for file in labels]
    train, test, classes = counted_from_zero(train, test, data.classes, places)
    train_images, test_images = (_grey(part, data.transposed) for part in (train_images, test_images))
    return Dataset(train_images, train, test_images, test), classes


def _grey(images: Array, transposed: bool) -> Array:
    """Images (n, height, width, 1) from (n, height, width), or from (n, width, height) if they are transposed."""
    return np.ascontiguousarray(images.swapaxes(1, 2) if transposed else images)[..., np.newaxis]
