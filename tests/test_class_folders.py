"""Images in a folder for each class, from the list of their files to arrays."""

import os
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config_data import HeldOut, ImageFolders, SeparateFolder, Size
from pipeline.data.formats.image_folder import read_listed
from pipeline.data.sources.class_folders import LEFT_BEHIND, list_images
from pipeline.io import InputError, write_csv
from tests.helpers.documentation import code_blocks

Arrays = dict[str, npt.NDArray[np.uint8]]

TRAIN, TEST = Path("data/local/train"), Path("data/local/test")
FOLDERS = ImageFolders(train=str(TRAIN), test=SeparateFolder(folder=str(TEST)), resize=None, color="grey")


def changed(**fields: Any) -> ImageFolders:
    return FOLDERS.model_copy(update=fields)


def write_image(path: Path, value: int, height: int = 4, width: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), value, np.uint8)).save(path)
    return path


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three cats and two dogs to train on, a dog and a cat to test on; each is of one grey."""
    monkeypatch.chdir(tmp_path)
    for value, name in enumerate(["cat/2.png", "cat/10.png", "cat/b.jpeg", "dog/1.png", "dog/2.png"], start=1):
        write_image(TRAIN / name, 10 * value)
    write_image(TEST / "dog/1.png", 60)
    write_image(TEST / "cat/1.png", 70)
    return tmp_path


def read(folders: ImageFolders, names: list[str] | None = None) -> tuple[Arrays, list[str]]:
    write_csv(Path("images.csv"), list_images(folders))
    return read_listed(Path("images.csv"), folders, names)


def files(table: pd.DataFrame, split: str) -> list[str]:
    return table.loc[table["split"] == split, "file"].tolist()


def test_images_are_numbered_by_class_and_then_by_file_name() -> None:
    table = list_images(FOLDERS)
    assert list(table.columns) == ["split", "index", "class", "file"]
    assert table["split"].tolist() == ["train"] * 5 + ["test"] * 2
    assert table["index"].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert table["class"].tolist() == ["cat"] * 3 + ["dog"] * 2 + ["cat", "dog"]
    names = ["cat/10.png", "cat/2.png", "cat/b.jpeg", "dog/1.png", "dog/2.png"]
    assert files(table, "train") == [f"data/local/train/{name}" for name in names]


def test_the_arrays_hold_the_images_of_the_list() -> None:
    arrays, classes = read(FOLDERS)
    assert classes == ["cat", "dog"]
    assert arrays["train_images"].shape == (5, 4, 4, 1)
    assert arrays["train_images"][:, 0, 0, 0].tolist() == [20, 10, 30, 40, 50]
    assert arrays["train_labels"].tolist() == [0, 0, 0, 1, 1]
    assert arrays["test_images"][:, 0, 0, 0].tolist() == [70, 60]
    assert arrays["test_labels"].tolist() == [0, 1]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}


def test_names_that_are_given_set_the_order_of_the_classes() -> None:
    arrays, classes = read(FOLDERS, ["dog", "cat"])
    assert classes == ["dog", "cat"]
    assert arrays["train_labels"].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("names", [["cat", "fox"], ["cat", "dog", "fox"], ["Cat", "dog"], ["cat", "do\u2028g"]])
def test_names_that_are_no_folders_are_refused(names: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"data\.classes: found .*, expected the folders in data/local/train, cat, dog, "
    ) as error:
        read(FOLDERS, names)
    assert str(error.value).isprintable()


def test_names_are_text_whatever_is_in_them() -> None:
    for part in (TRAIN, TEST):
        shutil.move(part / "cat", part / "NA")
        shutil.move(part / "dog", part / '0,1 "é" \u202f')
    assert read(FOLDERS)[1] == ['0,1 "é" \u202f', "NA"]


def test_images_are_brought_to_one_size_and_to_colours() -> None:
    write_image(TRAIN / "dog/3.png", 80, height=20, width=10)
    arrays, _ = read(changed(resize=Size(height=6, width=8), color="rgb"))
    assert arrays["train_images"].shape == (6, 6, 8, 3)
    assert arrays["test_images"].shape == (2, 6, 8, 3)
    np.testing.assert_array_equal(arrays["train_images"][5], np.full((6, 8, 3), 80))


def test_what_operating_systems_leave_behind_is_passed_over() -> None:
    left = [".DS_Store", "cat/.DS_Store", ".git/config", "Thumbs.db", "cat/Thumbs.db", "desktop.ini", "dog/ehthumbs.db"]
    for name in [*left, "__MACOSX/cat/._1.png", "cat/@eaDir/1.png", "cat/THUMBS.DB"]:
        (TRAIN / name).parent.mkdir(parents=True, exist_ok=True)
        (TRAIN / name).write_bytes(b"")
    assert len(list_images(FOLDERS)) == 7


def test_a_fraction_of_each_class_is_held_out_by_the_seed() -> None:
    for number in range(20):
        write_image(TRAIN / f"dog/{number:02}.png", number)
        write_image(TRAIN / f"cat/{number:02}.png", number)
    first, again, other = (list_images(changed(test=HeldOut(fraction=0.25, seed=seed))) for seed in (0, 0, 1))
    assert first.equals(again)
    assert files(first, "test") != files(other, "test")
    assert sorted(first["file"]) == [str(path) for path in sorted(TRAIN.rglob("*.*"))]
    held_out = first[first["split"] == "test"]
    assert held_out["class"].value_counts().to_dict() == {"cat": 6, "dog": 5}
    assert held_out["index"].tolist() == list(range(11))


def test_a_class_too_rare_for_the_fraction_gives_one_image() -> None:
    for number in range(20):
        write_image(TRAIN / f"cat/{number:02}.png", 0)
    table = list_images(changed(test=HeldOut(fraction=0.1, seed=0)))
    assert table.loc[table["split"] == "test", "class"].value_counts().to_dict() == {"cat": 3, "dog": 1}


def test_a_class_of_one_image_is_refused_by_its_name() -> None:
    (TRAIN / "dog/2.png").unlink()
    message = "^data.images.test: found 1 image of class dog, expected at least 2: one stays, one is held out$"
    with pytest.raises(InputError, match=message):
        list_images(changed(test=HeldOut(fraction=0.1, seed=0)))


@pytest.mark.parametrize(("train", "test"), [("é", "e\u0301"), ("e\u0301", "é"), ("e\u0301", "e\u0301")])
def test_names_that_differ_in_unicode_normalization_are_one(train: str, test: str) -> None:
    shutil.move(TRAIN / "cat", TRAIN / train)
    shutil.move(TEST / "cat", TEST / test)
    for names in (None, ["dog", "e\u0301"]):
        arrays, classes = read(FOLDERS, names)
        assert sorted(classes) == ["dog", "é"]
        assert np.bincount(arrays["test_labels"]).tolist() == [1, 1]


def file(path: Path, content: bytes = b"") -> Callable[[], object]:
    return lambda: path.write_bytes(content)


def folder(path: Path) -> Callable[[], None]:
    return path.mkdir


def image(path: Path, height: int = 4, width: int = 4) -> Callable[[], object]:
    return lambda: write_image(path, 0, height, width)


def link(path: Path, target: Path) -> Callable[[], None]:
    """Replace `path` by a symbolic link to `target`, a folder that is made where there is none."""

    def make() -> None:
        target.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        path.symlink_to(target.absolute())

    return make


def link_to_itself() -> None:
    shutil.rmtree(TEST)
    TEST.symlink_to(TEST.name)


def two_forms_of_a_name() -> None:
    write_image(TRAIN / "é/1.png", 0)
    write_image(TRAIN / "e\u0301/1.png", 0)


def truncated_image() -> None:
    whole = (TRAIN / "dog/2.png").read_bytes()
    (TRAIN / "dog/2.png").write_bytes(whole[:-20])


LINK = "found a symbolic link to a folder, into which DVC does not look; expected the folder itself"

# What does not belong into the folders: how it comes there, and what is then said.
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "an empty class": (
        folder(TRAIN / "fox"),
        "data/local/train/fox: found an empty folder, expected PNG or JPEG images",
    ),
    "a file beside the classes": (
        file(TRAIN / "notes.txt"),
        "data/local/train/notes.txt: found a file, expected folders of images alone, one a class",
    ),
    "a folder among images": (
        folder(TRAIN / "cat/more"),
        "data/local/train/cat/more: found no file, expected PNG or JPEG images alone",
    ),
    "a name that is no text": (
        folder(TRAIN / os.fsdecode(b"\xff")),
        r"data/local/train: found the name b'\xff', expected UTF-8 without control characters",
    ),
    "a line break in a class": (
        folder(TRAIN / "a\nb"),
        r"data/local/train: found the name b'a\nb', expected UTF-8 without control characters",
    ),
    "a line break in a file": (
        file(TRAIN / "cat/a\nb.png"),
        r"data/local/train/cat: found the name b'a\nb.png', expected UTF-8 without control characters",
    ),
    "an invisible character": (
        file(TRAIN / "cat/\u200b.png"),
        r"'data/local/train/cat/\u200b.png': found an empty file, expected a PNG or JPEG image",
    ),
    "no image": (
        file(TRAIN / "cat/notes.png", b"notes"),
        "data/local/train/cat/notes.png: found another kind of file, expected a PNG or JPEG image",
    ),
    "an empty image": (
        file(TEST / "cat/empty.png"),
        "data/local/test/cat/empty.png: found an empty file, expected a PNG or JPEG image",
    ),
    "an image in another format": (
        file(TRAIN / "dog/3.jpg", b"RIFF\x24\0\0\0WEBPVP8 "),
        "data/local/train/dog/3.jpg: found a WebP image, expected a PNG or JPEG image",
    ),
    "a damaged image": (truncated_image, "data/local/train/dog/2.png: expected a readable image, found: "),
    "an image of another size": (
        image(TEST / "dog/2.png", width=5),
        "data/local/test/dog/2.png: found 4 × 5 pixels, expected 4 × 4 pixels as in data/local/train/cat/10.png; "
        "data.images.resize brings images to one size",
    ),
    "a test class without training images": (
        image(TEST / "fox/1.png"),
        "data/local/test/fox: found a class without training images, expected one of cat, dog",
    ),
    "a line separator in a test class": (
        image(TEST / "fo\u2028x/1.png"),
        r"'data/local/test/fo\u2028x': found a class without training images, expected one of cat, dog",
    ),
    "two forms of a name": (
        two_forms_of_a_name,
        r"data/local/train: found the classes 'e\u0301' and '\xe9', which differ in Unicode normalization only; "
        "expected one folder for the class",
    ),
    "a link as training folder": (link(TRAIN, Path("elsewhere")), f"data/local/train: {LINK}"),
    "a link as class": (link(TRAIN / "dog", Path("elsewhere")), f"data/local/train/dog: {LINK}"),
    "a link as class to another class": (link(TRAIN / "dog", TRAIN / "cat"), f"data/local/train/dog: {LINK}"),
    "a link as image": (link(TRAIN / "dog/3.png", Path("elsewhere")), f"data/local/train/dog/3.png: {LINK}"),
    "a link to itself among images": (
        lambda: (TRAIN / "dog/3.png").symlink_to("3.png"),
        "data/local/train/dog/3.png: Too many levels of symbolic links",
    ),
    "a link to itself among classes": (
        lambda: (TRAIN / "fox").symlink_to("fox"),
        "data/local/train/fox: Too many levels of symbolic links",
    ),
    "a link to itself as test folder": (
        link_to_itself,
        f"data/local/test: {LINK}",
    ),
    "a pipe": (
        lambda: os.mkfifo(TRAIN / "dog/3.png"),
        "data/local/train/dog/3.png: found no file, expected PNG or JPEG images alone",
    ),
    "a broken link": (
        lambda: (TRAIN / "dog/3.png").symlink_to("nowhere"),
        "data/local/train/dog/3.png: found no file, expected PNG or JPEG images alone",
    ),
    "a link as test folder": (
        link(TEST, TRAIN),
        "data.images.test.folder: found data/local/test, which shares images with data.images.train, data/local/train; "
        "expected a folder apart",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_belong_there_is_refused_by_its_name(spoil: Callable[[], object], message: str) -> None:
    spoil()
    with pytest.raises(InputError) as error:
        read(FOLDERS)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_what_the_page_says_is_refused_is() -> None:
    said = [message for _, message in WRONG.values()]
    for line in code_blocks("docs/own-data.md", "text")["refused"].splitlines():
        if line.startswith("data/local"):
            assert any(line.startswith(message) or message.startswith(line.rstrip("…")) for message in said), line


def test_a_test_folder_inside_the_training_folder_is_refused() -> None:
    for name in ("cat", "dog"):
        write_image(TRAIN / "cat/test" / name / "1.png", 0)
    message = "found data/local/train/cat, which shares images with data.images.train, data/local/train"
    with pytest.raises(InputError, match=message):
        list_images(changed(test=SeparateFolder(folder="data/local/train/cat")))


def test_data_local_may_be_a_link_itself() -> None:
    shutil.move("data/local", "disk")
    Path("data/local").symlink_to(Path("disk").absolute())
    assert len(list_images(FOLDERS)) == 7


def test_a_link_to_an_image_is_read() -> None:
    (TRAIN / "dog/3.png").symlink_to((TRAIN / "cat/b.jpeg").absolute())
    assert read(FOLDERS)[0]["train_images"][5].max() == 30


@pytest.mark.parametrize("spoilt", [5, 20, 25])
def test_up_to_twenty_spoilt_images_are_named_at_once(spoilt: int) -> None:
    for number in range(spoilt):
        (TRAIN / f"cat/c{number:02}.png").write_bytes(b"notes")
    with pytest.raises(InputError) as error:
        read(FOLDERS)
    lines = str(error.value).splitlines()
    names = [f"data/local/train/cat/c{number:02}.png" for number in range(min(spoilt, 20))]
    assert [line.split(":")[0] for line in lines[: len(names)]] == names
    assert lines[len(names) :] == ["stopped after 20 faults"] * (spoilt >= 20)


def test_twenty_faults_are_the_limit_in_all_folders_together() -> None:
    for name, number in product(("cat", "dog"), range(22)):
        (TRAIN / name / f"folder{number:02}").mkdir()
    with pytest.raises(InputError) as error:
        read(FOLDERS)
    lines = str(error.value).splitlines()
    assert all(line.startswith("data/local/train/cat/folder") for line in lines[:20])
    assert lines[20:] == ["stopped after 20 faults"]


def test_all_that_is_wrong_with_the_folders_is_named_at_once() -> None:
    (TRAIN / "fox").mkdir()
    (TRAIN / "notes.txt").write_bytes(b"")
    (TRAIN / "cat/more").mkdir()
    with pytest.raises(InputError) as error:
        list_images(FOLDERS)
    names = ["cat/more", "fox", "notes.txt"]
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [f"{TRAIN}/{name}" for name in names]


def test_images_of_several_sizes_are_brought_to_one() -> None:
    write_image(TEST / "dog/2.png", 0, height=4, width=5)
    assert read(changed(resize=Size(height=4, width=4)))[0]["test_images"].shape == (3, 4, 4, 1)


@pytest.mark.parametrize(("folder", "split"), [(TRAIN, "train"), (TEST, "test")])
def test_a_folder_that_is_not_there_is_refused(folder: Path, split: str) -> None:
    shutil.rmtree(folder)
    message = (
        f"data/local/{split}: expected a folder with folders of images, one a class, found: No such file or directory"
    )
    with pytest.raises(InputError, match=message):
        list_images(FOLDERS)


def test_a_folder_with_too_long_a_name_is_refused() -> None:
    with pytest.raises(InputError, match=r"^data/local/x+: expected a folder with .*, found: File name too long$"):
        list_images(changed(train="data/local/" + "x" * 300))


@pytest.mark.parametrize("content", [b"", b"split,class\ntrain,cat\n", b"\xff"])
def test_a_damaged_list_is_refused_by_its_name(content: bytes) -> None:
    Path("images.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"^images\.csv: expected the list of images that the stage download writes"):
        read_listed(Path("images.csv"), FOLDERS, None)


def test_one_class_and_more_than_256_are_refused() -> None:
    shutil.rmtree(TRAIN / "dog")
    with pytest.raises(InputError, match=r"^data/local/train: found 1 classes, expected 2 to 256$"):
        list_images(FOLDERS)
    for number in range(256):
        write_image(TRAIN / f"{number}/1.png", 0)
    with pytest.raises(InputError, match=r"^data/local/train: found 257 classes, expected 2 to 256$"):
        list_images(FOLDERS)


def test_more_pixels_than_memory_should_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.data.formats.image_folder.LARGEST", 100)
    message = "data.images.resize: found 7 images of 4 × 4 pixels, which are 112 bytes, expected at most 100"
    with pytest.raises(InputError, match=message):
        read(FOLDERS)


def is_class(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in LEFT_BEHIND


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
        ).filter(is_class),
        st.integers(1, 3),
        min_size=2,
        max_size=5,
    )
)
def test_folders_of_any_name_are_classes(tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]) -> None:
    os.chdir(tmp_path_factory.mktemp("classes"))
    counts = {normalize("NFC", name): count for name, count in counts.items()}
    for name, count in counts.items():
        for number in range(count):
            write_image(TRAIN / name / f"{number}.png", 100)
        write_image(TEST / name / "0.png", 100)
    arrays, classes = read(FOLDERS)
    assert classes == sorted(counts)
    assert np.bincount(arrays["train_labels"]).tolist() == [counts[name] for name in classes]
    assert arrays["test_labels"].tolist() == list(range(len(classes)))
