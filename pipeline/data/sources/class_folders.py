"""List image files in a folder for each class: which file is which image of the data set."""

import os
from pathlib import Path
from unicodedata import category, normalize

import pandas as pd

from pipeline.config_data import HeldOut, ImageFolders, SeparateFolder
from pipeline.data.messages import Faults, check_class_count, join_names, naming
from pipeline.data.sources.base import LOCAL
from pipeline.data.split import hold_out
from pipeline.io import InputError, printable

NO_TEXT = ("Cc", "Cs")  # Unicode's control characters, and the surrogates that Python puts for bytes that are not UTF-8
COLUMNS = ["split", "index", "class", "file"]
# What operating systems and network drives leave in folders, in lower case; others begin with a dot.
LEFT_BEHIND = {
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
}


def list_images(folders: ImageFolders) -> pd.DataFrame:
    """List the images of train and test.

    The columns are split, index (which counts from 0 in each split), class (the name of the folder that the file lies
    in, in Unicode's composed form) and file. Images are sorted by class, and within a class by file name. Names that
    begin with a dot are passed over, and so are files that operating systems leave behind.

    Raises InputError naming folders and files that are not as expected: absent, empty, a file among the folders of
    classes, a folder among images, a link to a folder, a test class that training lacks, too few or too many classes.
    """
    if isinstance(folders.test, SeparateFolder):
        _check_apart(Path(folders.train), Path(folders.test.folder))
    train = _list_classes(Path(folders.train))
    classes = list(dict.fromkeys(train["class"]))
    check_class_count(classes, printable(folders.train))
    if isinstance(folders.test, HeldOut):
        labels = train["class"].to_numpy(str)
        kept, held_out = hold_out(labels, folders.test.fraction, folders.test.seed, "data.images.test")
        train, test = train.iloc[kept], train.iloc[held_out]
    else:
        test = _list_classes(Path(folders.test.folder))
        for name in test["class"].unique():
            if name not in classes:
                place = printable(Path(folders.test.folder, name))
                expected = f"one of {join_names(classes)}"
                raise InputError(f"{place}: found a class without training images, expected {expected}")
    splits = {"train": train.reset_index(drop=True), "test": test.reset_index(drop=True)}
    return pd.concat(splits, names=["split", "index"]).reset_index()[COLUMNS]


def _check_apart(train: Path, test: Path) -> None:
    """Raise InputError if one of two folders lies in the other, by whatever path."""
    first, second = (Path(os.path.realpath(folder)) for folder in (train, test))
    if first.is_relative_to(second) or second.is_relative_to(first):
        found = f"found {printable(test)}, which shares images with data.images.train, {printable(train)}"
        raise InputError(f"data.images.test.folder: {found}; expected a folder apart")


def _list_classes(folder: Path) -> pd.DataFrame:
    """Return columns class and file of the images below `folder`."""
    rows, faults, classes = [], Faults(), dict[str, str]()
    for entry in _entries(folder, "folders of images, one a class"):
        with faults.collect(), naming(entry.path):
            if not entry.is_dir():
                raise InputError(
                    f"{printable(entry.path)}: found a file, expected folders of images alone, one a class"
                )
            name = normalize("NFC", entry.name)
            if name in classes:
                found = f"{classes[name]!a} and {entry.name!a}, which differ in Unicode normalization only"
                raise InputError(f"{printable(folder)}: found the classes {found}; expected one folder for the class")
            classes[name] = entry.name
            for file in _entries(Path(entry.path), "PNG or JPEG images"):
                with faults.collect(), naming(file.path):
                    if file.is_dir():
                        _refuse_link(Path(file.path))
                    if not file.is_file():
                        raise InputError(f"{printable(file.path)}: found no file, expected PNG or JPEG images alone")
                    rows.append((name, file.path))
    faults.check()
    return pd.DataFrame(rows, columns=["class", "file"]).sort_values("class", kind="stable", ignore_index=True)


def _entries(folder: Path, expected: str) -> list[os.DirEntry[str]]:
    """Return the entries of `folder`, sorted by name, at least one."""
    try:
        for path in (folder, *folder.parents):
            if LOCAL in path.parents:
                _refuse_link(path)
        with os.scandir(folder) as entries:
            found_entries = sorted(filter(_is_meant, entries), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{printable(folder)}: expected a folder with {expected}, found: {error.strerror}") from error
    if not found_entries:
        raise InputError(f"{printable(folder)}: found an empty folder, expected {expected}")
    for entry in found_entries:
        if any(category(character) in NO_TEXT for character in entry.name):
            name = os.fsencode(entry.name)
            raise InputError(f"{printable(folder)}: found the name {name!r}, expected UTF-8 without control characters")
    return found_entries


def _refuse_link(folder: Path) -> None:
    """Raise InputError for a link to a folder. DVC would notice no change behind it, nor of the link itself."""
    if folder.is_symlink():
        found = "a symbolic link to a folder, into which DVC does not look"
        raise InputError(f"{printable(folder)}: found {found}; expected the folder itself")


def _is_meant(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower() not in LEFT_BEHIND
