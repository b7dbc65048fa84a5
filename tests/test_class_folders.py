"""Images in a folder for each class, from the list of their files to arrays."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.artifacts import write_csv
from pipeline.dataset.class_folders import list_images
from pipeline.dataset.image_list import read_listed
from pipeline.errors import InputError
from pipeline.params.schema import HeldOut, ImageFolders, SeparateFolder, Size

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


def files(table: pd.DataFrame, part: str) -> list[str]:
    return table.loc[table["part"] == part, "file"].tolist()


def test_images_are_numbered_by_class_and_then_by_file_name() -> None:
    table = list_images(FOLDERS)
    assert list(table.columns) == ["part", "number", "class", "file"]
    assert table["part"].tolist() == ["train"] * 5 + ["test"] * 2
    assert table["number"].tolist() == [0, 1, 2, 3, 4, 0, 1]
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


@pytest.mark.parametrize("names", [["cat", "fox"], ["cat", "dog", "fox"], ["Cat", "dog"]])
def test_names_that_are_no_folders_are_refused(names: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"data\.classes: found .*, expected the folders in data/local/train, cat, dog, "
    ):
        read(FOLDERS, names)


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


def test_hidden_files_are_passed_over() -> None:
    for name in (".DS_Store", "cat/.DS_Store", ".git/config"):
        (TRAIN / name).parent.mkdir(exist_ok=True)
        (TRAIN / name).write_bytes(b"")
    assert len(list_images(FOLDERS)) == 7


def test_a_share_of_each_class_is_held_out_and_the_seed_alone_decides_which() -> None:
    for number in range(20):
        write_image(TRAIN / f"dog/{number:02}.png", number)
        write_image(TRAIN / f"cat/{number:02}.png", number)
    share = [list_images(changed(test=HeldOut(share=0.25, seed=seed))) for seed in (0, 0, 1)]
    assert share[0].equals(share[1])
    assert files(share[0], "test") != files(share[2], "test")
    everything = [str(path) for path in sorted(TRAIN.rglob("*.*"))]
    assert sorted(share[0]["file"]) == everything
    held_out = share[0][share[0]["part"] == "test"]
    assert held_out["class"].value_counts().to_dict() == {"cat": 6, "dog": 5}
    assert held_out["number"].tolist() == list(range(11))


def test_too_few_images_to_hold_some_out_are_refused_with_the_class() -> None:
    write_image(TRAIN / "cat/11.png", 0)
    message = "found 2 images of label dog, expected at least 4 for data.images.test.share 0.25"
    with pytest.raises(InputError, match=message):
        list_images(changed(test=HeldOut(share=0.25, seed=0)))


def spoil(path: Path, content: bytes | None) -> None:
    """Write a file, or make a folder."""
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("added", "content", "message"),
    [
        (TRAIN / "fox", None, "data/local/train/fox: found an empty folder, expected PNG or JPEG images"),
        (
            TRAIN / "notes.txt",
            b"",
            "data/local/train/notes.txt: found a file, expected folders of images alone, one a cl",
        ),
        (TRAIN / "cat/more", None, "data/local/train/cat/more: found no file, expected PNG or JPEG images alone"),
        (
            TRAIN / os.fsdecode(b"\xff"),
            None,
            r"data/local/train: found the name b'\\xff', expected UTF-8 without control char",
        ),
        (TRAIN / "a\nb", None, r"data/local/train: found the name b'a\\nb', expected UTF-8 without control characters"),
        (TRAIN / "cat/notes.png", b"notes", "data/local/train/cat/notes.png: found no PNG or JPEG image, expected one"),
        (TEST / "cat/empty.png", b"", "data/local/test/cat/empty.png: found no PNG or JPEG image, expected one"),
    ],
)
def test_what_does_not_belong_there_is_refused_by_its_name(added: Path, content: bytes | None, message: str) -> None:
    spoil(added, content)
    with pytest.raises(InputError, match=f"^{message}"):
        read(FOLDERS)


def test_a_damaged_image_is_refused_by_its_name() -> None:
    whole = write_image(TRAIN / "dog/2.png", 50).read_bytes()
    (TRAIN / "dog/2.png").write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"^data/local/train/dog/2\.png: expected a readable image, found: "):
        read(FOLDERS)


def test_a_class_of_the_test_images_that_training_lacks_is_refused() -> None:
    write_image(TEST / "fox/1.png", 0)
    message = r"^data/local/test/fox: found a class without training images, expected one of cat, dog$"
    with pytest.raises(InputError, match=message):
        list_images(FOLDERS)


def test_images_of_several_sizes_are_refused_unless_they_are_brought_to_one() -> None:
    write_image(TEST / "dog/2.png", 0, height=4, width=5)
    message = "data/local/test/dog/2.png: found 4 × 5 pixels, expected 4 × 4 pixels as in data/local/train/cat/10.png"
    with pytest.raises(InputError, match=message):
        read(FOLDERS)
    assert read(changed(resize=Size(height=4, width=4)))[0]["test_images"].shape == (3, 4, 4, 1)


@pytest.mark.parametrize(("folder", "part"), [(TRAIN, "train"), (TEST, "test")])
def test_a_folder_that_is_not_there_is_refused(folder: Path, part: str) -> None:
    shutil.rmtree(folder)
    message = (
        f"data/local/{part}: expected a folder with folders of images, one a class, found: No such file or directory"
    )
    with pytest.raises(InputError, match=message):
        list_images(FOLDERS)


def test_one_class_and_more_than_256_are_refused() -> None:
    shutil.rmtree(TRAIN / "dog")
    with pytest.raises(InputError, match=r"^data/local/train: found 1 classes, expected 2 to 256$"):
        list_images(FOLDERS)
    for number in range(256):
        write_image(TRAIN / f"{number}/1.png", 0)
    with pytest.raises(InputError, match=r"^data/local/train: found 257 classes, expected 2 to 256$"):
        list_images(FOLDERS)


def test_more_pixels_than_memory_should_hold_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dataset.image_list.LARGEST", 100)
    message = "data.images.resize: found 7 images of 4 × 4 pixels, which are 112 bytes, expected at most 100"
    with pytest.raises(InputError, match=message):
        read(FOLDERS)


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_characters="/\0", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
        ).filter(lambda name: not name.startswith(".")),
        st.integers(1, 3),
        min_size=2,
        max_size=5,
    )
)
def test_folders_of_any_name_are_classes(tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]) -> None:
    os.chdir(tmp_path_factory.mktemp("classes"))
    for name, count in counts.items():
        for number in range(count):
            write_image(TRAIN / name / f"{number}.png", 100)
        write_image(TEST / name / "0.png", 100)
    arrays, classes = read(FOLDERS)
    assert classes == sorted(counts)
    assert np.bincount(arrays["train_labels"]).tolist() == [counts[name] for name in classes]
    assert arrays["test_labels"].tolist() == list(range(len(classes)))
