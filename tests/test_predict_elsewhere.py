"""``predict --onnx FILE`` reads nothing but an exported model, in any folder."""

import json
from pathlib import Path

import onnx
import pytest
from PIL import Image

from tests.helpers.predicting import (
    CLASSES,
    Pixels,
    documents,
    predict_here,
    predict_outside,
    shares,
    softmax,
    weights_of,
    write_onnx,
)

METADATA = {
    "name": "cnn2",
    "seed": "3",
    "class_names": json.dumps(CLASSES),
    "background": "dark",
    "content_extent": "1.0",
    "data": "d41d8cd98f00b204e9800998ecf8427e",
    "license": "MIT",
    "commit": "0" * 40,
    "accuracy": "0.9",
}
ADVICE = "expected a file that `python -m pipeline publish` has written"


def write_exported(path: Path, **changes: str | None) -> Path:
    """Write a model with metadata; None leaves one out."""
    write_onnx(path, weights_of(0))
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {key: value for key, value in (METADATA | changes).items() if value is not None})
    onnx.save(model, path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, outside of any repository, to run commands in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_exported_model_needs_no_other_file(folder: Path, images: Pixels) -> None:
    write_exported(folder / "cnn2.onnx")
    Image.fromarray(255 - images[3]).save(folder / "photograph.png")
    status, output, error = predict_outside(folder, "--onnx", "cnn2.onnx", "--json", "photograph.png")
    assert (status, error) == (0, "")
    (document,) = documents(output)
    assert list(document) == ["model", "file", "inverted", "fitted", "predicted", "probabilities"]
    assert (document["model"], document["inverted"], document["fitted"]) == ("cnn2", True, False)
    assert shares(document) == pytest.approx(softmax(images[3:4], weights_of(0))[0].tolist(), abs=1e-5)


def test_it_fits_files_as_its_metadata_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Image.new("L", (56, 56))
    picture.paste(255, (10, 10, 20, 20))
    picture.save("picture.png")
    write_exported(folder / "cropping.onnx")
    write_exported(folder / "whole.onnx", content_extent="", background="")
    for arguments, fitted in (
        (["--onnx", "cropping.onnx"], True),
        (["--onnx", "cropping.onnx", "--no-fit"], False),
        (["--onnx", "whole.onnx"], False),
    ):
        assert predict_here("--json", *arguments, "picture.png") == 0
        assert documents(capsys.readouterr().out)[0]["fitted"] == fitted
    assert predict_here("--onnx", "whole.onnx", "--fit", "picture.png") == 2
    assert capsys.readouterr().err.startswith("error: --fit: found whole.onnx of data that were not cropped, ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict.fromkeys(METADATA), "found no name in its metadata"),
        ({"class_names": None}, "found no class_names in its metadata"),
        ({"name": ""}, "metadata, name: found "),
        ({"class_names": "[]"}, "metadata, class_names: found 0 class names for 10 classes"),
        ({"class_names": json.dumps(CLASSES[1:])}, "metadata, class_names: found 9 class names for 10 classes"),
        ({"class_names": json.dumps([*CLASSES[1:], "Bag"])}, "metadata, class_names: found "),
        ({"class_names": json.dumps([*CLASSES[1:], 3])}, "metadata, class_names: found "),
        ({"class_names": "T-shirt/top, Trouser"}, "metadata, class_names: found T-shirt/top, Trouser (Invalid JSON"),
        ({"class_names": "[" * 10_000}, "metadata, class_names: found [[[["),
        ({"background": "grey"}, "metadata, background: found grey "),
        ({"background": "\x1b[2J"}, "metadata, background: found '\\x1b[2J' "),
        ({"content_extent": "0"}, "metadata, content_extent: found 0 "),
        ({"content_extent": "1.5"}, "metadata, content_extent: found 1.5 "),
        ({"content_extent": "nan"}, "metadata, content_extent: found nan "),
        ({"content_extent": "all"}, "metadata, content_extent: found all "),
    ],
)
def test_wrong_metadata_take_one_line(
    changes: dict[str, str | None], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_exported(folder / "a.onnx", **changes)
    Image.new("L", (28, 28)).save("picture.png")
    assert predict_here("--onnx", "a.onnx", "picture.png") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: a.onnx: {message}")
    assert printed.err.endswith(f", {ADVICE}\n")
    assert printed.err[:-1].isprintable()


def test_names_in_metadata_are_escaped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = json.dumps(["\x1b[2J", *CLASSES[1:]])
    write_exported(folder / "a.onnx", name="\x1b[2J", class_names=names)
    Image.new("L", (28, 28)).save("picture.png")
    assert predict_here("--onnx", "a.onnx", "picture.png") == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04"])
def test_a_file_that_is_no_model_takes_one_line(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.onnx").write_bytes(content)
    Image.new("L", (28, 28)).save("picture.png")
    assert predict_here("--onnx", "a.onnx", "picture.png") == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: a.onnx: expected a model in ONNX format, found: ")
    assert printed.count("\n") == 1
