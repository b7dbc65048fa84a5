"""Image files in a folder for each class: which file is which image of the data set."""

import os
from pathlib import Path
from unicodedata import category

import pandas as pd

from pipeline.dataset.classes import check_number
from pipeline.dataset.partition import partition
from pipeline.errors import InputError
from pipeline.params.schema import HeldOut, ImageFolders

NO_TEXT = ("Cc", "Cs")  # Unicode's control characters, and the surrogates that Python puts for bytes that are not UTF-8
COLUMNS = ["part", "number", "class", "file"]


def list_images(folders: ImageFolders) -> pd.DataFrame:
    """The images of the parts train and test, in the order of their numbers, which count from 0 in each part.

    The columns are part, number, class (the name of the folder that the file lies in) and file. Images are sorted by
    class, and those of a class by file name. Names that begin with a dot are passed over.

    Raises InputError naming a folder or file that is not as expected: not there, empty, a file among the folders of
    classes, a folder among images, a test class that training lacks, classes too few or too many.
    """
    train = _part(Path(folders.train))
    classes = list(dict.fromkeys(train["class"]))
    check_number(classes, folders.train)
    if isinstance(folders.test, HeldOut):
        share, seed = folders.test.share, folders.test.seed
        kept, held_out = partition(train["class"].to_numpy(str), share, seed, "data.images.test.share")
        train, test = train.iloc[kept], train.iloc[held_out]
    else:
        test = _part(Path(folders.test.folder))
        for name in test["class"].unique():
            if name not in classes:
                place = Path(folders.test.folder, name)
                expected = ", ".join(classes)
                raise InputError(f"{place}: found a class without training images, expected one of {expected}")
    parts = {"train": train.reset_index(drop=True), "test": test.reset_index(drop=True)}
    return pd.concat(parts, names=["part", "number"]).reset_index()[COLUMNS]


def _part(folder: Path) -> pd.DataFrame:
    """Columns class and file of the images below `folder`."""
    rows = []
    for entry in _entries(folder, "folders of images, one a class"):
        if not entry.is_dir():
            raise InputError(f"{entry.path}: found a file, expected folders of images alone, one a class")
        files = _entries(Path(entry.path), "PNG or JPEG images")
        for file in files:
            if not file.is_file():
                raise InputError(f"{file.path}: found no file, expected PNG or JPEG images alone")
            rows.append((entry.name, file.path))
    return pd.DataFrame(rows, columns=["class", "file"])


def _entries(folder: Path, expected: str) -> list[os.DirEntry[str]]:
    """What lies in `folder`, sorted by name, at least one entry."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: expected a folder with {expected}, found: {error.strerror}") from error
    if not found:
        raise InputError(f"{folder}: found an empty folder, expected {expected}")
    for entry in found:
        if any(category(character) in NO_TEXT for character in entry.name):
            name = os.fsencode(entry.name)
            raise InputError(f"{folder}: found the name {name!r}, expected UTF-8 without control characters")
    return found
