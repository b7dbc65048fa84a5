"""Turn raw files of any format into checked arrays, and name their classes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.config_data import DataConfig, HeldOut, IdxData, ImageData
from pipeline.data.formats.csv import read_table, row_place
from pipeline.data.formats.idx import label_place, read_images, read_labels
from pipeline.data.formats.image_folder import read_listed
from pipeline.data.formats.images import border
from pipeline.data.messages import check_class_count, join_names
from pipeline.data.split import hold_out
from pipeline.io import InputError, printable

NEARLY_ALL = 0.95  # of the images; of Fashion-MNIST's 70,000, all have a dark border

Array = npt.NDArray[np.uint8]
Place = Callable[[int], str]
"""Return where the label of an image stands, given the image's index."""


class _Part(NamedTuple):
    """Images, uint8 (n, height, width), and labels, uint8 (n,), of training or test, as they were read."""

    images: Array
    labels: Array
    place: Place


class RawDataset(NamedTuple):
    """Images, uint8 (n, height, width, channels), and labels, uint8 (n,) and counted from 0, of training and test."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def read_raw(data: DataConfig, folder: Path) -> tuple[RawDataset, list[str], str]:
    """Read the raw files in the format that `data` names.

    Args:
        data: The section ``data`` of the parameters.
        folder: The folder of the raw files.

    Returns:
        The arrays, the class names, and where the labels were found, in words.

    Raises:
        InputError: Something is wrong with a file, which the message names.
    """
    if isinstance(data, ImageData):
        arrays, classes = read_listed(folder / "images.csv", data.images, data.classes)
        return RawDataset(**arrays), classes, "labels from the folders' names"
    files = data.idx if isinstance(data, IdxData) else data.csv
    paths = [folder / file.name for file in files.files]
    read, source = (_read_pairs, paths[1].name) if isinstance(data, IdxData) else (_read_tables, "column 1")
    train, *tests = read(paths)
    test = tests[0] if tests else _Part(train.images[:0], train.labels[:0], train.place)
    found = _summarize(np.unique(train.labels).tolist())
    *labels, classes = encode_labels(train.labels, test.labels, data.classes, [train.place, test.place])
    images = [_add_channel(part.images, files.transposed) for part in (train, test)]
    dataset = RawDataset(images[0], labels[0], images[1], labels[1])
    if files.held_out:
        dataset = _hold_out(dataset, files.held_out, f"data.{data.format}.test", classes)
    return dataset, classes, f"labels from {source}: {found}"


def _read_pairs(paths: Sequence[Path]) -> list[_Part]:
    """Read IDX files, those of images and of labels in turn."""
    pairs = zip(paths[::2], paths[1::2], strict=True)
    return [_Part(read_images(images), read_labels(labels), partial(label_place, labels)) for images, labels in pairs]


def _read_tables(paths: Sequence[Path]) -> list[_Part]:
    """Read CSV tables."""
    return [_Part(*read_table(path), partial(row_place, path)) for path in paths]


def _hold_out(dataset: RawDataset, test: HeldOut, parameter: str, classes: Sequence[str]) -> RawDataset:
    """Make test images of some of the training images."""
    images, labels = dataset.train_images, dataset.train_labels
    _check_lengths("training", images, labels)
    kept, held_out = hold_out(labels, test.fraction, test.seed, parameter, classes)
    return RawDataset(images[kept], labels[kept], images[held_out], labels[held_out])


def _summarize(labels: Sequence[int]) -> str:
    """Return sorted labels in words.

    >>> _summarize([0, 1, 2]), _summarize([0, 1, 5])
    ('0 to 2', '0, 1, 5')
    """
    consecutive = labels[-1] - labels[0] == len(labels) - 1
    return f"{labels[0]} to {labels[-1]}" if consecutive else ", ".join(map(str, labels))


def _add_channel(images: Array, transposed: bool) -> Array:
    """Return images (n, height, width, 1) from (n, height, width), or from (n, width, height) if transposed."""
    return np.ascontiguousarray(images.swapaxes(1, 2) if transposed else images)[..., np.newaxis]


def encode_labels(
    train: Array, test: Array, names: Sequence[str] | None, places: Sequence[Place]
) -> tuple[Array, Array, list[str]]:
    """Encode labels as 0, 1, 2, … in their order, and name the classes.

    Args:
        train: Labels of the training images, uint8 (n,).
        test: Labels of the test images, uint8 (n,).
        names: Names of the labels in their order, which may have gaps; None takes the training labels as names.
        places: Where a label stands in the training and in the test data, for error messages.

    Returns:
        The numbered labels of training and of test, and the class names.

    Raises:
        InputError: There are more or fewer names than training labels, a test label that no training image has, or too
            few classes.
    """
    values, first_images = np.unique(train, return_index=True)
    if names is None:
        names = [str(value) for value in values.tolist()]
    elif len(names) != len(values):
        _refuse_names(values.tolist(), first_images.tolist(), names, places[0])
    check_class_count(names, "training labels")
    strange = np.flatnonzero(~np.isin(test, values))
    if strange.size:
        image = int(strange[0])
        raise InputError(f"{places[1](image)}: found label {test[image]}, which no training image has")
    train, test = (np.searchsorted(values, labels).astype(np.uint8) for labels in (train, test))
    return train, test, list(names)


def _refuse_names(values: Sequence[int], first_images: Sequence[int], names: Sequence[str], place: Place) -> None:
    """Raise InputError that says which name has no image, or which label no name, as consecutive labels would have."""
    first = values[0]
    for value, image in zip(values, first_images, strict=True):
        if value - first >= len(names):
            expected = f"{first} to {first + len(names) - 1}, the {len(names)} of data.classes"
            raise InputError(f"{place(image)}: found label {value}, expected {expected}")
    absent = join_names(name for label, name in enumerate(names, start=first) if label not in values)
    raise InputError(f"training labels: found no image of {absent}, expected each of data.classes")


def check_consistency(dataset: RawDataset, classes: Sequence[str]) -> None:
    """Refuse a data set whose arrays do not fit each other, or from which nothing can be learned.

    Raises:
        InputError: Images or labels are missing. Training and test images differ in shape. All training images of a
            class are blank. The test images are of one class alone.
    """
    _check_lengths("training", dataset.train_images, dataset.train_labels)
    _check_lengths("test", dataset.test_images, dataset.test_labels)
    found, expected = dataset.test_images.shape[1:], dataset.train_images.shape[1:]
    if found != expected:
        raise InputError(f"test images: found shape {found}, expected {expected} as of the training images")
    seen = set(dataset.train_labels[~blank(dataset.train_images)].tolist())
    unseen = [name for label, name in enumerate(classes) if label not in seen]
    if unseen:
        lacking = f"nothing but blank images, of one value in all pixels, of {join_names(unseen)}"
        raise InputError(f"training images: found {lacking}; expected a picture of each class")
    if len(set(dataset.test_labels.tolist())) < 2:
        raise InputError(
            f"test labels: found {printable(classes[dataset.test_labels[0]])} alone, expected at least 2 classes, "
            "so that a test can tell them"
        )


def _check_lengths(split: str, images: Array, labels: Array) -> None:
    if len(images) == 0:
        raise InputError(f"{split} images: found none, expected at least 1")
    if len(labels) != len(images):
        raise InputError(f"{split} labels: found {len(labels):,}, expected {len(images):,}, one an image")


def blank(images: Array) -> npt.NDArray[np.bool_]:
    """Return which of the images (n, height, width, channels) have one value in all pixels, bool (n,)."""
    pixels = images.reshape(len(images), -1)
    return np.asarray(pixels.min(axis=1) == pixels.max(axis=1))


def background(images: Array) -> Literal["dark", "light"] | None:
    """Return whether nearly all images (n, height, width, channels) have a border darker or lighter than middle grey.

    None says that it is neither, or that the images are in colour: inverted, these would be something else.
    """
    if images.shape[-1] > 1:
        return None
    light = np.mean(border(images).mean(axis=(1, 2)) > 127.5)
    return "light" if light >= NEARLY_ALL else "dark" if light <= 1 - NEARLY_ALL else None
