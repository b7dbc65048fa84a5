"""``python -m pipeline predict``: any test image by number, any picture by file."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipeline.__main__ import main
from pipeline.artifacts import write_json, write_npz
from pipeline.dataset.description import Description
from pipeline.dataset.idx import read_images, read_labels
from pipeline.dataset.parts import Normalization
from pipeline.errors import InputError, run
from pipeline.params.reading import read_params
from pipeline.prediction.examples import Example, file_example
from tests.clone import ROOT

# Keras saves TensorFlow's variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Pixels = npt.NDArray[np.uint8]

PARAMS = read_params(ROOT / "params.yaml")
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CANDIDATE = "mlp"


class Printed(NamedTuple):
    """What a command left."""

    status: int
    output: str
    error: str


class Trained(NamedTuple):
    """A folder with data and models as the pipeline leaves them, and what the models answer for the test images."""

    folder: Path
    images: Pixels
    labels: Pixels
    probabilities: dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def trained(raw_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An mlp, the candidate, and a lenet5 with its RBF units, both with the weights they start from."""
    import keras

    from pipeline.catalogue import build
    from pipeline.training.fit import with_normalization
    from pipeline.training.predict import predict

    folder = tmp_path_factory.mktemp("trained")
    params = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace(f"model: {PARAMS.model}\n", f"model: {CANDIDATE}\n", 1))
    images = read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]
    labels = read_labels(raw_folder / "t10k-labels-idx1-ubyte")
    parts = {
        f"{part}_{kind}": array
        for part in ("train", "test")
        for kind, array in (("images", images), ("labels", labels))
    }
    write_npz(folder / "data/prepared.npz", parts | {"offset": np.float32(0), "scale": np.float32(255)})
    write_json(folder / "data/dataset.json", {"classes": CLASSES, "background": "dark"})
    probabilities = {}
    for name in (CANDIDATE, "lenet5"):
        keras.utils.set_random_seed(0)
        network = build(PARAMS.models[name].architecture, (28, 28, 1), 10, PARAMS.models[name].options)
        model = with_normalization(network, Normalization(0.0, 255.0))
        (folder / f"data/models/{name}").mkdir(parents=True)
        model.save(folder / f"data/models/{name}/model.keras")
        probabilities[name] = predict(model, images)
    return Trained(folder, images, labels, probabilities)


@pytest.fixture
def folder(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, made the one that commands run in."""
    monkeypatch.chdir(trained.folder)
    return trained.folder


def predict_here(*arguments: str | Path) -> int:
    """The exit status of the command, run in this process, where TensorFlow is imported but once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pipeline", "predict", *map(str, arguments)])
        try:
            run(main)
        except SystemExit as exit_:
            return int(exit_.code or 0)
    return 0


def predict_outside(folder: Path, *arguments: str, **environment: str) -> Printed:
    """The command as a user types it."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "predict", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Printed(done.returncode, done.stdout, done.stderr)


def documents(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def shares(document: dict[str, Any]) -> list[float]:
    assert list(document["probabilities"]) == CLASSES
    return list(document["probabilities"].values())


def test_the_command_prints_class_and_probabilities_of_a_test_image(trained: Trained) -> None:
    status, output, _ = predict_outside(trained.folder, "--model", "lenet5", "--index", "15")
    assert status == 0
    heading, *lines = output.splitlines()
    expected = trained.probabilities["lenet5"][15]
    best, actual = CLASSES[expected.argmax()], CLASSES[trained.labels[15]]
    assert heading == f"test image 15: {best} ({'right' if best == actual else f'wrong: it is {actual}'})"
    found = {line[2:].rsplit(maxsplit=1)[0]: float(line.rsplit(maxsplit=1)[1].rstrip("%")) / 100 for line in lines}
    assert found == pytest.approx(dict(zip(CLASSES, expected.tolist(), strict=True)), abs=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "vgg", "--index", "1"], "model: found 'vgg', expected one of dense128, dense128_short, simple_nn"),
        (
            ["--model", "cnn1", "--index", "1"],
            "data/models/cnn1/model.keras: found no such file; `dvc repro train@cnn1`",
        ),
        (
            ["--model", "resnet_taught", "--index", "1"],
            "data/models/resnet_taught/model.keras: found no such file; `dvc repro distill@resnet_taught`",
        ),
        (
            ["--model", "airbench_vote", "--index", "1"],
            "model: found 'airbench_vote', an ensemble without a network of its own; its members are airbench_long",
        ),
        (["--index", "3", "200"], "--index: found 200, expected 0 to 199"),
        (["--index", "-1"], "--index: found -1, expected 0 to 199"),
        (["absent.png"], "absent.png: expected a readable image, found: No such file or directory"),
        (["params.yaml"], "params.yaml: found no PNG or JPEG image, expected one"),
        (["data"], "data: expected a readable image, found: Is a directory"),
        (["--index", "1", "--invert"], "--invert: found with --index, expected with image files"),
        (["--index", "1", "--plot", "out.pdf"], "--plot: found out.pdf, expected a name that ends in .png"),
        (["--index", *map(str, range(61)), "--plot", "out.png"], "--plot: found 61 images, expected at most 60"),
    ],
)
def test_what_is_wrong_takes_one_line_and_status_2_and_no_import_of_keras(
    trained: Trained, arguments: list[str], message: str
) -> None:
    status, output, error = predict_outside(trained.folder, *arguments, KERAS_BACKEND="one that fails the import")
    assert status == 2
    assert output == ""
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_without_data_the_stage_that_makes_it_is_named(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "data/prepared.npz").unlink()
    status, _, error = predict_outside(tmp_path, "--index", "1")
    assert (status, error) == (2, "error: data/prepared.npz: found no such file; `dvc repro preprocess` makes it\n")


@pytest.mark.parametrize("name", [CANDIDATE, "lenet5"])
def test_json_holds_what_the_model_answers_with_rows_that_sum_to_1(
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
        assert shares(document) == pytest.approx(expected.tolist(), abs=1e-6)
        assert sum(shares(document)) == pytest.approx(1, abs=1e-6)


def test_without_a_model_the_candidate_predicts_and_a_file_counts_as_the_image_in_it(
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
        assert shares(document) == pytest.approx(trained.probabilities[CANDIDATE][3].tolist(), abs=1e-6)


def test_inversion_may_be_asked_for_and_forbidden(
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
            example = file_example(path, (28, 28, 1), Description(classes=CLASSES, background="dark"), None)
            assert example.source["inverted"] == inverse
            np.testing.assert_array_equal(example.pixels[..., 0], image)


@pytest.mark.parametrize(
    ("background", "inverted"), [("dark", [True, False]), ("light", [False, True]), (None, [False] * 2)]
)
def test_an_image_is_inverted_where_the_data_has_the_other_background(
    background: Literal["dark", "light"] | None, inverted: list[bool], tmp_path: Path
) -> None:
    for ground, expected in zip((255, 0), inverted, strict=True):
        Image.new("L", (28, 28), ground).save(tmp_path / "image.png")
        description = Description(classes=CLASSES, background=background)
        example = file_example(tmp_path / "image.png", (28, 28, 1), description, None)
        assert example.source["inverted"] == expected
        assert np.all(example.pixels == (255 - ground if expected else ground))


def test_a_file_damaged_behind_its_first_bytes_ends_the_command_with_one_line(
    folder: Path, tmp_path: Path, images: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "damaged.png")
    (tmp_path / "damaged.png").write_bytes((tmp_path / "damaged.png").read_bytes()[:200])
    assert predict_here(tmp_path / "damaged.png") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {tmp_path / 'damaged.png'}: expected a readable image, found: ")
    assert printed.err.count("\n") == 1


def test_text_of_a_file_says_whether_it_was_inverted_and_shows_a_strange_name(
    folder: Path, tmp_path: Path, images: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = tmp_path / os.fsdecode(b"b\xff.png")
    Image.fromarray(255 - images[0]).save(strange)
    assert predict_here(strange, "--plot", tmp_path / "out.png") == 0
    heading = capsys.readouterr().out.splitlines()[0]
    assert heading.startswith(f"{tmp_path}/b\\udcff.png: ")
    assert heading.endswith(" (inverted)")
    assert (tmp_path / "out.png").exists()


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


def test_many_files_are_predicted_in_their_order_with_a_progress_bar_on_a_terminal(
    folder: Path,
    many: list[Path],
    images: Pixels,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import keras

    from pipeline.training.predict import predict

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert predict_here("--json", *many) == 0
    assert "450/450" in terminal.getvalue()
    found = documents(capsys.readouterr().out)
    assert [document["file"] for document in found] == list(map(str, many))
    expected = predict(keras.saving.load_model(f"data/models/{CANDIDATE}/model.keras"), images[:450, ..., np.newaxis])
    np.testing.assert_allclose([shares(document) for document in found], expected, rtol=0, atol=1e-6)


def test_few_files_need_no_bar_and_a_log_gets_none(
    folder: Path, many: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_here(*many) == 0
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert predict_here(*many[:10]) == 0
    assert terminal.getvalue() == ""


def test_no_more_than_a_batch_of_images_is_read_ahead(trained: Trained) -> None:
    import keras

    from pipeline.prediction.batches import BATCH_SIZE, predict_batches

    read = 0

    def examples() -> Iterator[Example]:
        nonlocal read
        for _ in range(10 * BATCH_SIZE):
            read += 1
            yield Example(trained.images[0], None, "", {})

    batches = predict_batches(
        keras.saving.load_model(trained.folder / f"data/models/{CANDIDATE}/model.keras"), examples()
    )
    assert len(next(batches)) == BATCH_SIZE
    assert read == BATCH_SIZE


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert predict_here("--index", "0") == 0


def test_the_plot_is_written_as_png(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_here("--index", "0", "1", "--plot", tmp_path / "plots/out.png") == 0
    with Image.open(tmp_path / "plots/out.png") as image:
        assert image.format == "PNG"
        assert image.width > 2 * image.height  # two pairs of picture and bars, side by side


def test_a_plot_that_cannot_be_written_takes_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_here("--index", "0", "--plot", "params.yaml/out.png") == 2
    assert capsys.readouterr().err.startswith("error: --plot: params.yaml/out.png cannot be written")


def test_code_in_a_model_is_not_run(trained: Trained, tmp_path: Path) -> None:
    import keras

    from pipeline.training.saved import load_model

    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Lambda(lambda pixels: pixels)])
    model.save(tmp_path / "crafted.keras")
    with pytest.raises(InputError, match=r"crafted.keras: expected a model that Keras loads in safe mode, found: .*"):
        load_model(tmp_path / "crafted.keras", "mlp", 10)


def test_a_damaged_model_is_refused_by_its_name(trained: Trained, tmp_path: Path) -> None:
    from pipeline.training.saved import load_model

    whole = (trained.folder / f"data/models/{CANDIDATE}/model.keras").read_bytes()
    path = tmp_path / "damaged.keras"
    for content in (b"", b"text", whole[:1000], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged.keras: expected a model") as caught:
            load_model(path, "mlp", 10)
        assert "\n" not in str(caught.value)


def test_a_model_of_other_classes_or_images_is_refused(trained: Trained) -> None:
    from pipeline.prediction.batches import predict_batches
    from pipeline.training.saved import load_model

    path = trained.folder / f"data/models/{CANDIDATE}/model.keras"
    with pytest.raises(InputError, match=r"mlp/model.keras: found 10 classes, expected 3 as in data/dataset.json"):
        load_model(path, "mlp", 3)
    small = Example(np.zeros((8, 8, 3), np.uint8), None, "test image 0", {})
    with pytest.raises(InputError, match="test image 0: found 8 × 8 × 3 values, expected 28 × 28 × 1"):
        next(predict_batches(load_model(path, "mlp", 10), [small]))
