"""``python -m pipeline predict``: any test image by number, any picture by file."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from PIL import Image
from ruamel.yaml import YAML

from pipeline.data.description import Description
from pipeline.data.formats.idx import read_images, read_labels
from pipeline.io import InputError, write_json, write_npz
from pipeline.predict.images import SURVEYED, Example, content_extent, fit_content, load_file
from pipeline.predict.model import BATCH_SIZE, OnnxModel, predict_batches
from tests.helpers.clone import ROOT, Clone
from tests.helpers.documentation import run_page
from tests.helpers.predicting import (
    CLASSES,
    Pixels,
    Probabilities,
    documents,
    predict_here,
    predict_outside,
    shares,
    softmax,
    weights_of,
    write_lock,
    write_onnx,
)

CANDIDATE = "cnn2"  # of params.yaml
FRONTIER = "airbench_long"  # of frontier/params.yaml
SETTINGS = ("params.yaml", "frontier/params.yaml")
ONNX = f"data/models/{CANDIDATE}/model.onnx"
PHOTOGRAPH = str(ROOT / "docs/photographs/bag.jpg")
PAGE = "docs/predict.md"
DARK = Description(classes=CLASSES, background="dark")


class Trained(NamedTuple):
    """A folder with data and models as the pipeline leaves them, and what the models predict for the test images."""

    folder: Path
    images: Pixels
    labels: Pixels
    probabilities: dict[str, Probabilities]


@pytest.fixture(scope="module")
def trained(raw_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The candidate and a model of the frontier, whose weights are drawn at random."""
    folder = tmp_path_factory.mktemp("trained")
    for name in (*SETTINGS, "published.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    images = read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]
    labels = read_labels(raw_folder / "t10k-labels-idx1-ubyte")
    arrays = {
        f"{part}_{kind}": array
        for part in ("train", "test")
        for kind, array in (("images", images), ("labels", labels))
    }
    write_npz(folder / "data/prepared.npz", arrays)
    write_json(folder / "data/dataset.json", {"classes": CLASSES, "background": "dark"})
    write_lock(folder / "dvc.lock", folder / "data/prepared.npz", CANDIDATE, "cnn1", "mlp")
    write_lock(folder / "frontier/dvc.lock", folder / "data/prepared.npz", FRONTIER)
    probabilities = {}
    for seed, (name, data) in enumerate({CANDIDATE: "data", FRONTIER: "data/frontier"}.items()):
        write_onnx(folder / data / f"models/{name}/model.onnx", weights_of(seed))
        probabilities[name] = softmax(images, weights_of(seed))
    Image.new("L", (28, 28)).save(folder / "data/gray.png")
    (folder / "data/folder.png").mkdir()
    (folder / "data/models/cnn1").mkdir()
    (folder / "data/models/cnn1/model.keras").write_bytes(b"as JAX leaves it")
    return Trained(folder, images, labels, probabilities)


@pytest.fixture
def folder(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, made the one that commands run in."""
    monkeypatch.chdir(trained.folder)
    return trained.folder


@pytest.fixture
def copy(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, to be changed, and the one that commands run in."""
    monkeypatch.chdir(shutil.copytree(trained.folder, tmp_path / "copy"))
    return tmp_path / "copy"


def test_class_and_probabilities_of_a_test_image_are_printed(trained: Trained) -> None:
    status, output, _ = predict_outside(trained.folder, "--model", FRONTIER, "--index", "15")
    assert status == 0
    heading, *lines = output.splitlines()
    expected = trained.probabilities[FRONTIER][15]
    best, actual = CLASSES[expected.argmax()], CLASSES[trained.labels[15]]
    assert heading == f"test image 15: {best} ({'right' if best == actual else f'wrong: it is {actual}'})"
    found = {line[2:].rsplit(maxsplit=1)[0]: float(line.rsplit(maxsplit=1)[1].rstrip("%")) / 100 for line in lines}
    assert found == pytest.approx(dict(zip(CLASSES, expected.tolist(), strict=True)), abs=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


WITHOUT = """
import sys
for absent in {absent}:
    sys.modules[absent] = None  # an import of it fails
sys.argv = ["pipeline", "predict", *{arguments}]
from pipeline.__main__ import main
main()
"""


def test_predicting_imports_no_framework_and_draws_nothing(trained: Trained) -> None:
    absent = ["dvc", "keras", "tensorflow", "jax", "matplotlib", "pandas", "sklearn", "scipy"]
    code = WITHOUT.format(absent=absent, arguments=["--index", "0"])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=trained.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("test image 0: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "vgg", "--index", "1"], "model: found 'vgg', expected one of dense128, dense128_short, simple_nn"),
        (
            ["--model", "mlp", "--index", "1"],
            "data/models/mlp/model.onnx: file not found; run `dvc repro train@mlp`, or name a trained model: "
            f"{CANDIDATE}, {FRONTIER}\n",
        ),
        (
            ["--model", "airbench_small", "--index", "1"],
            "data/frontier/models/airbench_small/model.onnx: file not found; "
            "run `dvc repro frontier/dvc.yaml:train@airbench_small`",
        ),
        (
            ["--model", "cnn1", "--index", "1"],
            "data/models/cnn1/model.onnx: file not found; JAX writes none; train on TensorFlow by "
            "`KERAS_BACKEND=tensorflow dvc repro --force train@cnn1`",
        ),
        (["--index", "3", "200"], "--index: found 200, expected 0 to 199"),
        (["--index", "-1"], "--index: found -1, expected 0 to 199"),
        (["absent.png"], "absent.png: expected a readable image, found: No such file or directory"),
        (["params.yaml"], "params.yaml: found "),
        (["data"], "data: expected a readable image, found: Is a directory"),
        (["--index", "1", "--invert"], "--invert: found with --index, expected with files"),
        (["--index", "1", "--no-fit"], "--fit: found with --index, expected with files"),
        ([], "found no images, expected --index N or image files; a name that begins with - as ./-NAME"),
        (["--onnx", "a.onnx", "a.png"], "--onnx: found no file a.onnx, expected one that `publish` wrote"),
        (["--onnx", ONNX, "--index", "1"], "--onnx: found with --index, expected with image files alone"),
        (["--onnx", ONNX, "--model", "mlp", "a.png"], "--onnx: found with --model, expected with image files"),
        (["--onnx", ONNX, PHOTOGRAPH], f"{ONNX}: found no name in its metadata, expected a file that `python -m"),
        (["--index", "1", "--plot", "out.pdf"], "--plot: found out.pdf, expected a name that ends in .png"),
        (["--index", "1", "--plot", "typo/x.png"], "--plot: found no folder typo, expected one; create it first"),
        (["--plot", "x.png", "x.png"], "--plot: found x.png among the images to predict, expected another name"),
        (["--plot", "data/gray.png", PHOTOGRAPH], "--plot: data/gray.png is no plot of this command and stays"),
        (["--plot", "data/folder.png", PHOTOGRAPH], "--plot: data/folder.png is no plot of this command and stays"),
        (["--index", *map(str, range(61)), "--plot", "out.png"], "--plot: found 61 images, expected at most 60"),
    ],
)
def test_a_mistake_takes_one_line_and_status_2(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_here(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1
    assert not (folder / "typo").exists()


def test_a_name_may_begin_with_a_hyphen(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (28, 28)).save("-x.png")
    assert predict_here("-x.png") == 2
    assert "error: unrecognized arguments: -x.png" in capsys.readouterr().err
    for arguments in (["./-x.png"], ["--", "-x.png"]):
        assert predict_here(*arguments) == 0
        assert "-x.png: " in capsys.readouterr().out


def test_outside_the_repository_its_folder_is_asked_for(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(copy / "data")
    assert predict_here("--index", "1") == 2
    assert capsys.readouterr().err == (
        f"error: found no params.yaml in {copy}/data, expected the repository's folder; "
        "go there, or name an exported model by --onnx\n"
    )


def test_files_out_of_distribution_are_marked(
    folder: Path, tmp_path: Path, images: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    for name, pixels in (("near.png", images[0]), ("far.png", noise)):
        Image.fromarray(pixels).save(tmp_path / name)
    assert predict_here("--no-invert", tmp_path / "near.png", tmp_path / "far.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith(" (out of distribution)") for line in lines if ".png: " in line] == [False, True]
    assert lines[-1].endswith(" Images out of distribution: 1; their classes mean nothing.")
    assert predict_here("--json", tmp_path / "near.png", tmp_path / "far.png") == 0
    assert [document["out_of_distribution"] for document in documents(capsys.readouterr().out)] == [False, True]


def test_without_data_the_stage_that_makes_it_is_named(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "data/prepared.npz").unlink()
    status, _, error = predict_outside(tmp_path, "--index", "1")
    assert (status, error) == (2, "error: data/prepared.npz: file not found; run `dvc repro preprocess`\n")


@pytest.mark.parametrize(
    ("model", "lock", "stage"),
    [
        (CANDIDATE, "dvc.lock", f"train@{CANDIDATE}"),
        (FRONTIER, "frontier/dvc.lock", f"frontier/dvc.yaml:train@{FRONTIER}"),
    ],
)
def test_a_model_of_other_data_is_refused(
    trained: Trained, copy: Path, model: str, lock: str, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {f"{part}_labels": trained.labels[::-1] for part in ("train", "test")}
    images = {f"{part}_images": trained.images for part in ("train", "test")}
    write_npz(copy / "data/prepared.npz", images | others)
    assert predict_here("--model", model, "--index", "0") == 2
    assert capsys.readouterr() == (
        "",
        f"error: data/prepared.npz: found other images than {model} was trained on by {lock}; "
        f"the data changed after the training, run `dvc repro {stage}`\n",
    )


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (lambda lock: lock, True),
        (lambda lock: lock.replace(b"\n", b"\r\n"), True),
        (lambda lock: lock.replace(b"      hash: md5\n", b""), True),  # as older versions of DVC write it
        (lambda lock: lock.replace(b"train@cnn2", b"train@cnn3"), False),
        (lambda lock: lock.replace(b"data/prepared.npz", b"data/prepared_npz"), False),
        (lambda lock: lock.replace(b"      md5", b"      etag"), False),
        (lambda lock: b"\xff\x00", False),
        (lambda lock: b"", False),
    ],
)
def test_where_no_training_is_recorded_it_is_said(
    copy: Path, change: Callable[[bytes], bytes], known: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = copy / "dvc.lock"
    lock.write_bytes(change(lock.read_bytes()))
    assert predict_here("--index", "0") == 0
    note = "dvc.lock: found no training of cnn2; whether it was trained on data/prepared.npz is not known\n"
    assert capsys.readouterr().err == ("" if known else note)


def test_without_a_lock_it_is_said_too(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "dvc.lock").unlink()
    assert predict_here("--index", "0") == 0
    assert capsys.readouterr().err.startswith("dvc.lock: found no training of cnn2; ")


def test_commands_of_the_page_work(clone: Clone) -> None:
    assert run_page(clone, PAGE)["predict"].startswith("test image 15: ")
    assert (clone.folder / "predictions.png").exists()


def test_a_class_may_be_renamed_but_data_may_not_change(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone.folder)
        clone.change("data.classes", [f"new {name}" for name in CLASSES])
        assert clone.dvc("repro", "preprocess").ran == {"preprocess"}
        assert predict_here("--json", "--index", "0") == 0
        assert documents(capsys.readouterr().out)[0]["predicted"].startswith("new ")
        clone.change("data.idx.transposed", True)
        clone.dvc("repro", "preprocess")
        assert predict_here("--json", "--index", "0") == 2
        assert "run `dvc repro train@dense128`" in capsys.readouterr().err


@pytest.mark.parametrize("name", [CANDIDATE, FRONTIER])
def test_json_holds_the_probabilities_of_the_model(
    trained: Trained, folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_here("--json", "--model", name, "--index", "7", "199", "0") == 0
    found = documents(capsys.readouterr().out)
    for document, number in zip(found, [7, 199, 0], strict=True):
        expected = trained.probabilities[name][number]
        assert list(document) == ["model", "index", "actual", "predicted", "probabilities"]
        assert (document["model"], document["index"]) == (name, number)
        assert document["actual"] == CLASSES[trained.labels[number]]
        assert document["predicted"] == CLASSES[expected.argmax()]
        assert shares(document) == pytest.approx(expected.tolist(), abs=1e-5)
        assert sum(shares(document)) == pytest.approx(1, abs=1e-5)


def test_by_default_the_candidate_predicts(
    trained: Trained, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(trained.images[3, ..., 0]).save(tmp_path / "garment.png")
    Image.fromarray(255 - trained.images[3, ..., 0]).save(tmp_path / "on_white.png")
    assert predict_here("--json", tmp_path / "garment.png", tmp_path / "on_white.png") == 0
    for document, name in zip(documents(capsys.readouterr().out), ["garment.png", "on_white.png"], strict=True):
        assert document["model"] == CANDIDATE
        assert document["file"] == str(tmp_path / name)
        assert document["inverted"] == (name == "on_white.png")
        assert "actual" not in document
        assert shares(document) == pytest.approx(trained.probabilities[CANDIDATE][3].tolist(), abs=1e-5)


def test_inversion_can_be_requested_and_refused(
    trained: Trained, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(trained.images[3, ..., 0]).save(tmp_path / "garment.png")
    assert predict_here("--json", "--invert", tmp_path / "garment.png") == 0
    assert predict_here("--json", "--no-invert", tmp_path / "garment.png") == 0
    inverted, kept = documents(capsys.readouterr().out)
    assert (inverted["inverted"], kept["inverted"]) == (True, False)
    assert shares(inverted) != pytest.approx(shares(kept), abs=1e-3)


def test_inversion_is_detected_on_every_real_image(images: Pixels, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    for image in images:
        for stored, inverse in ((image, False), (255 - image, True)):
            Image.fromarray(stored).save(path, compress_level=0)
            example = load_file(path, (28, 28, 1), DARK)
            assert example.source["inverted"] == inverse
            np.testing.assert_array_equal(example.pixels[..., 0], image)


@pytest.mark.parametrize(
    ("background", "inverted"), [("dark", [True, False]), ("light", [False, True]), (None, [False] * 2)]
)
def test_an_image_on_the_other_background_is_inverted(
    background: Literal["dark", "light"] | None, inverted: list[bool], tmp_path: Path
) -> None:
    for ground, expected in zip((255, 0), inverted, strict=True):
        Image.new("L", (28, 28), ground).save(tmp_path / "image.png")
        description = Description(classes=CLASSES, background=background)
        example = load_file(tmp_path / "image.png", (28, 28, 1), description)
        assert example.source["inverted"] == expected
        assert np.all(example.pixels == (255 - ground if expected else ground))


def test_a_damaged_file_ends_the_command_with_one_line(
    folder: Path, tmp_path: Path, images: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "damaged.png")
    (tmp_path / "damaged.png").write_bytes((tmp_path / "damaged.png").read_bytes()[:200])
    assert predict_here(tmp_path / "damaged.png") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {tmp_path / 'damaged.png'}: expected a readable image, found: ")
    assert printed.err.count("\n") == 1


def test_text_of_a_file_says_whether_it_was_inverted(
    folder: Path, tmp_path: Path, images: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(255 - images[0]).save(tmp_path / "white.png")
    assert predict_here(tmp_path / "white.png") == 0
    heading, *_, note = capsys.readouterr().out.splitlines()
    assert heading.startswith(f"{tmp_path}/white.png: ")
    assert heading.endswith(" (inverted)")
    assert note == (
        "cnn2 was trained on images of 28 × 28 pixels in grey on a dark background, each of one of these 10 classes. "
        "It gives any other image one of them too."
    )


@pytest.mark.parametrize("name", [os.fsdecode(b"b\xff.png"), "a\nb.png", "\x1b[2J.png", "\u202egnp.png"])
def test_names_are_escaped_for_the_terminal(
    folder: Path, tmp_path: Path, images: Pixels, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(images[0]).save(tmp_path / name)
    assert predict_here(tmp_path / name, "--plot", tmp_path / "out.png") == 0
    heading, first, *_ = capsys.readouterr().out.splitlines()
    assert heading.isprintable()
    assert first.startswith("  ")
    assert (tmp_path / "out.png").exists()


def test_class_names_are_escaped_for_the_terminal(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(copy / "data/dataset.json", {"classes": ["\x1b[2J", *CLASSES[1:]], "background": "dark"})
    assert predict_here("--index", "0") == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())


def test_a_grey_border_hints_at_the_option(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (28, 28), 110).save(tmp_path / "paper.png")
    assert predict_here(tmp_path / "paper.png") == 0
    assert capsys.readouterr().err == (
        f"{tmp_path}/paper.png: border of grey 110, taken as dark; if it is not, try --invert\n"
    )
    assert predict_here("--no-invert", tmp_path / "paper.png") == 0
    assert capsys.readouterr().err == ""


def test_test_images_fill_the_frame(images: Pixels) -> None:
    assert content_extent(images[..., np.newaxis]) == 1.0
    framed = np.zeros((5, 28, 28, 1), np.uint8)
    framed[:, 4:24, 10:15] = 200
    assert content_extent(framed) == pytest.approx(20 / 28)


def test_content_is_measured_in_images_of_all_classes() -> None:
    by_class = np.zeros((4 * SURVEYED, 28, 28, 1), np.uint8)
    by_class[:, 4:24, 10:15] = 200
    by_class[SURVEYED:, 2:26] = by_class[SURVEYED:, 4:5]  # all but the first class are taller
    assert content_extent(by_class) == pytest.approx(24 / 28)


@pytest.mark.parametrize(("extent", "rows", "columns"), [(1.0, (0, 28), (7, 21)), (0.5, (7, 21), (10, 17))])
def test_content_is_cropped_and_centred(extent: float, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    photograph = np.full((300, 400, 1), 250, np.uint8)
    photograph[200:280, 10:50] = 30
    fitted = fit_content(photograph, (28, 28, 1), extent)
    expected = np.full((28, 28, 1), 250, np.uint8)
    expected[slice(*rows), slice(*columns)] = 30
    np.testing.assert_array_equal(fitted, expected)


def test_an_image_of_one_grey_is_fitted_whole() -> None:
    assert np.all(fit_content(np.full((100, 50, 3), 9, np.uint8), (32, 32, 3), 1.0) == 9)


def test_files_are_fitted_unless_refused(
    trained: Trained, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Image.fromarray(trained.images[3, ..., 0])
    frame = Image.new("L", (56, 56))
    frame.paste(small, (14, 20))
    frame.save(tmp_path / "framed.png")
    assert predict_here("--json", tmp_path / "framed.png") == 0
    assert predict_here("--json", "--no-fit", tmp_path / "framed.png") == 0
    fitted, whole = documents(capsys.readouterr().out)
    assert (fitted["fitted"], whole["fitted"]) == (True, False)
    expected = trained.probabilities[CANDIDATE][3].tolist()
    assert (
        np.abs(np.subtract(shares(fitted), expected)).max() < 0.1 < np.abs(np.subtract(shares(whole), expected)).max()
    )


def test_files_for_data_of_image_folders_are_not_fitted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = YAML().load(copy / "params.yaml")
    del params["data"]["idx"]
    folders = {"train": "data/local/a", "test": {"folder": "data/local/b"}, "resize": None, "color": "grey"}
    params["data"] |= {"format": "images", "images": folders}
    YAML().dump(params, copy / "params.yaml")
    Image.new("L", (56, 56)).save("photograph.png")
    assert predict_here("--json", "photograph.png") == 0
    assert documents(capsys.readouterr().out)[0]["fitted"] is False


class Terminal(io.StringIO):
    """A stream that passes for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def many(images: Pixels, tmp_path: Path) -> list[Path]:
    """450 files, more than two batches."""
    files = [tmp_path / f"{number:03}.png" for number in range(450)]
    for file, image in zip(files, images, strict=False):
        Image.fromarray(image).save(file, compress_level=0)
    return files


def test_many_files_keep_their_order_and_show_progress(
    folder: Path,
    many: list[Path],
    images: Pixels,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert predict_here("--json", *many) == 0
    assert "450/450" in terminal.getvalue()
    found = documents(capsys.readouterr().out)
    assert [document["file"] for document in found] == list(map(str, many))
    expected = softmax(images[:450], weights_of(0))
    np.testing.assert_allclose([shares(document) for document in found], expected, rtol=0, atol=1e-5)


def test_few_files_and_logs_show_no_progress(
    folder: Path, many: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_here(*many) == 0
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert predict_here(*many[:10]) == 0
    assert terminal.getvalue() == ""


def test_no_more_than_a_batch_of_images_is_read_ahead(trained: Trained) -> None:
    read = 0

    def examples() -> Iterator[Example]:
        nonlocal read
        for _ in range(10 * BATCH_SIZE):
            read += 1
            yield Example(trained.images[0], None, "", {})

    batches = predict_batches(OnnxModel(trained.folder / f"data/models/{CANDIDATE}/model.onnx", 10), examples())
    assert len(next(batches)) == BATCH_SIZE
    assert read == BATCH_SIZE


def test_a_reader_that_has_seen_enough_ends_it_quietly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert predict_here("--index", "0") == 0


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "| head -n 1"])
def test_a_closed_output_gives_no_traceback(trained: Trained, redirection: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m pipeline predict --index $(seq 0 199) {redirection}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=trained.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_takes_one_line_and_status_130(trained: Trained) -> None:
    command = [sys.executable, "-m", "pipeline", "predict", "--json", "--index", *(["0"] * 20_000)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=trained.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130, error
    assert error.strip().startswith("interrupted; ")
    assert error.strip().count("\n") == 0


def test_the_plot_is_written_as_png(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):  # the second replaces the first
        assert predict_here("--index", "0", "1", "--plot", tmp_path / "out.png") == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.format == "PNG"
        assert image.width > 2 * image.height  # two pairs of picture and bars, side by side


def test_a_damaged_model_is_refused_by_its_name(trained: Trained, tmp_path: Path) -> None:
    whole = (trained.folder / f"data/models/{CANDIDATE}/model.onnx").read_bytes()
    path = tmp_path / "damaged.onnx"
    for content in (b"", b"text", whole[:100], whole[: len(whole) // 2], b"\x00" + whole):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged.onnx: expected a model in ONNX format, found: ") as caught:
            OnnxModel(path, 10)
        assert "\n" not in str(caught.value)


def test_a_model_of_other_classes_is_refused(trained: Trained) -> None:
    path = trained.folder / f"data/models/{CANDIDATE}/model.onnx"
    with pytest.raises(
        InputError, match=r"model.onnx: found 10 classes, expected 3 as in data/dataset.json; .*`dvc re"
    ):
        OnnxModel(path, 3)


def test_a_model_with_another_output_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", weights_of(0), output="logarithms")
    with pytest.raises(InputError, match=r"model.onnx: found .*'logarithms'.*, expected float pixels \(n, "):
        OnnxModel(tmp_path / "model.onnx", 10)


def test_a_system_that_names_no_cpus_of_a_process_will_do(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity")  # as on macOS
    assert OnnxModel(trained.folder / ONNX).classes == 10


def test_a_model_of_images_that_no_file_holds_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", np.zeros((2 * 784, 10), np.float32), channels=2)
    with pytest.raises(InputError, match=r"model.onnx: found .*28, 28, 2.*, 1 or 3 channels"):
        OnnxModel(tmp_path / "model.onnx", 10)


def test_a_model_of_a_fixed_number_of_images_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", weights_of(0))
    model = onnx.load(tmp_path / "model.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"model.onnx: found .*\[1, 28, 28, 1\].*, expected float pixels \(n, "):
        OnnxModel(tmp_path / "model.onnx", 10)


def test_weights_outside_the_folder_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "secret").write_bytes(weights_of(0).tobytes())
    write_onnx(tmp_path / "models/model.onnx", weights_of(0))
    model = onnx.load(tmp_path / "models/model.onnx")
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    (tmp_path / "models/model.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"model.onnx: expected a model in ONNX format, found: "):
        OnnxModel(tmp_path / "models/model.onnx", 10)


def test_an_image_of_another_shape_is_refused(trained: Trained) -> None:
    small = Example(np.zeros((8, 8, 3), np.uint8), None, "test image 0", {})
    model = OnnxModel(trained.folder / f"data/models/{CANDIDATE}/model.onnx", 10)
    with pytest.raises(InputError, match="test image 0: found 8 × 8 × 3 values, expected 28 × 28 × 1"):
        next(predict_batches(model, [small]))


def test_where_no_number_comes_out_all_classes_are_equal(trained: Trained, tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", np.full((784, 10), np.inf, np.float32))
    np.testing.assert_allclose(OnnxModel(tmp_path / "model.onnx", 10).predict(trained.images[:2]), 0.1)
