"""Figures of images and of models: what they show."""

import subprocess
import sys
from pathlib import Path

import matplotlib.colors
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from pipeline.config import load_config
from pipeline.data.dataset import Dataset, Normalization, Split
from pipeline.evaluation.predictions import Predictions
from pipeline.report.figures.images import (
    CORRECT,
    INCORRECT,
    SAMPLES,
    Predicted,
    class_counts,
    model_grid,
    pixel_range,
    prediction_grid,
    samples,
)
from pipeline.report.figures.models import differing_settings, families, hyperparameter_curves, write_figures
from pipeline.report.figures.style import _warn_of_boxes, write_png
from pipeline.report.page.data import Source
from pipeline.report.results import Result
from tests.helpers.small_run import small_source, write_small_run

Pixels = npt.NDArray[np.uint8]
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def written(figure: Figure) -> list[str]:
    """The texts in a figure of one axes, as they were put there."""
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def names(figure: Figure) -> list[str]:
    return [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]


def sampled(figure: Figure, classes: int) -> npt.NDArray[np.uint8]:
    """The images of a figure of samples, (classes, SAMPLES, 28, 28) or, in colour, (classes, SAMPLES, 28, 28, 3)."""
    picture = np.asarray(figure.axes[0].images[0].get_array())
    return picture.reshape(classes, 29, SAMPLES, 29, *picture.shape[2:])[:, :28, :, :28].swapaxes(1, 2)


def test_samples_are_the_first_images_of_each_class(images: Pixels, labels: Pixels) -> None:
    figure = samples(Split(images[..., np.newaxis], labels), CLASSES)
    assert names(figure) == CLASSES
    for label, row in enumerate(sampled(figure, len(CLASSES))):
        expected = [image for image, of in zip(images, labels, strict=True) if of == label][:SAMPLES]
        np.testing.assert_array_equal(row, expected)
    rows = figure.axes[0].get_yticks()
    np.testing.assert_allclose(rows, [29 * label + 14 for label in range(10)])  # the middle of 29 pixels from -0.5 on


def test_a_class_with_few_images_has_an_open_row(images: Pixels) -> None:
    split = Split(images[:3, ..., np.newaxis], np.array([0, 1, 1], dtype=np.uint8))
    bags, coats = sampled(samples(split, ["Bag", "Coat"]), 2)
    np.testing.assert_array_equal(bags[0], images[0])
    np.testing.assert_array_equal(coats[:2], images[1:3])
    assert np.all(bags[1:] == 255)
    assert np.all(coats[2:] == 255)


def test_the_pixel_range_is_shown_raw_and_normalized(images: Pixels) -> None:
    figure = pixel_range(images[0, ..., np.newaxis], Normalization(offset=55, scale=100))
    raw, normalized = (axes.images[0] for axes in figure.axes if axes.images)
    np.testing.assert_array_equal(raw.get_array(), images[0])
    assert raw.get_clim() == (0, 255)
    np.testing.assert_allclose(np.asarray(normalized.get_array()), (images[0].astype(float) - 55) / 100, rtol=1e-6)
    assert normalized.get_clim() == (-0.55, 2)
    assert [axes.get_ylabel() for axes in figure.axes[2:]] == ["pixel", "(pixel − 55) / 100"]  # the colour bars'


def test_the_pixel_range_averages_the_channels_of_colour() -> None:
    image = np.array([[[0, 30, 60], [255, 255, 255]]], dtype=np.uint8)
    raw, normalized = (axes.images[0] for axes in pixel_range(image, Normalization(55, 100)).axes if axes.images)
    np.testing.assert_array_equal(raw.get_array(), [[30, 255]])
    np.testing.assert_allclose(np.asarray(normalized.get_array()), [[-0.25, 2]])


def test_images_in_colour_are_shown_in_their_colours() -> None:
    images = np.random.default_rng(0).integers(256, size=(2, 28, 28, 3), dtype=np.uint8)
    figure = samples(Split(images, np.array([0, 1], dtype=np.uint8)), ["Bag", "Coat"])
    np.testing.assert_array_equal(sampled(figure, 2)[:, 0], images)
    example = Predicted(images[1], np.array([0.5, 0.5], np.float32), None, "an image")
    figure = prediction_grid([example], ["Bag", "Coat"])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), images[1])


def test_a_file_keeps_the_colours_of_images(tmp_path: Path) -> None:
    levels = np.arange(1024, dtype=np.uint16)
    colours = np.stack([levels // 4, 255 - levels // 4, levels % 256], axis=-1).astype(np.uint8).reshape(1, 32, 32, 3)
    for images in (colours, colours[..., :1]):
        figure = samples(Split(images, np.array([0], dtype=np.uint8)), ["Bag"])
        write_png(tmp_path / "samples.png", figure)
        with Image.open(tmp_path / "samples.png") as image:
            found = image.convert("RGB").getcolors(10**6)
            assert found
            assert (len(found) > 900) == (images.shape[3] == 3)


def test_each_split_shows_its_images_of_each_class() -> None:
    image = np.zeros((6, 28, 28, 1), dtype=np.uint8)
    train = Split(image, np.array([0, 0, 0, 2, 2, 1], dtype=np.uint8))
    test = Split(image[:2], np.array([1, 1], dtype=np.uint8))
    figure = class_counts({"train": train, "test": test}, ["Bag", "Coat", "Shirt"])
    assert [axes.get_title() for axes in figure.axes] == ["train: 6 images", "test: 2 images"]
    assert [[bar.get_width() for bar in bars(axes)] for axes in figure.axes] == [[3, 1, 2], [0, 2, 0]]
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [["3", "1", "2"], ["0", "2", "0"]]
    first, second = (axes.get_xlim() for axes in figure.axes)
    assert first == second  # bars of two parts may be compared


def predicted(label: int | None, probabilities: list[float]) -> Predicted:
    pixels = np.zeros((28, 28, 1), dtype=np.uint8)
    return Predicted(pixels, np.array(probabilities, dtype=np.float32), label, "an image")


@pytest.mark.parametrize(
    ("label", "title", "colour", "marked"),
    [
        (1, "Coat 70%", CORRECT, {1: CORRECT}),
        (2, "Coat 70% (Shirt)", INCORRECT, {1: INCORRECT, 2: CORRECT}),
        (None, "Coat 70%", "black", {1: "black"}),
    ],
)
def test_correct_is_green_and_wrong_is_red(label: int | None, title: str, colour: str, marked: dict[int, str]) -> None:
    figure = prediction_grid([predicted(label, [0.1, 0.7, 0.2])], ["Bag", "Coat", "Shirt"])
    (axes,) = figure.axes
    assert written(figure) == ["an image", "Bag", "Coat", "Shirt", title]
    assert matplotlib.colors.same_color(axes.texts[-1].get_color(), colour)
    widths = [bar.get_width() for bar in bars(axes)]
    assert [width / sum(widths) for width in widths] == pytest.approx([0.1, 0.7, 0.2])
    for place, bar in enumerate(bars(axes)):
        if place in marked:
            assert matplotlib.colors.same_color(bar.get_facecolor(), marked[place])
        else:
            red, green, blue, _ = bar.get_facecolor()
            assert red == green == blue
        assert bool(bar.get_hatch()) == (marked.get(place) == INCORRECT)


def test_colour_blind_readers_see_right_from_wrong() -> None:
    deuteranopia = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    )
    right, wrong = (deuteranopia @ matplotlib.colors.to_rgb(colour) for colour in (CORRECT, INCORRECT))
    assert np.linalg.norm(right - wrong) > 0.4


def test_of_many_classes_the_ten_most_probable_are_drawn() -> None:
    probabilities = [0.001] * 26
    for place in range(3, 23, 2):
        probabilities[place] = 0.09
    figure = prediction_grid([predicted(0, probabilities)], [chr(ord("a") + i) for i in range(26)])
    assert written(figure) == ["an image", *"dfhjlnprtv", "d 9% (a)"]


def test_names_are_text_and_long_ones_are_cut(tmp_path: Path) -> None:
    example = Predicted(np.zeros((8, 8, 1), np.uint8), np.array([0.5, 0.5], np.float32), 1, f"folder/$x_{'y' * 80}.png")
    figure = prediction_grid([example], ["$a$", "$b^$"])
    figure.savefig(tmp_path / "figure.png")
    label, *names_and_title = written(figure)
    assert names_and_title == ["$a$", "$b^$", "$a$ 50% ($b^$)"]
    assert len(label) == 24
    assert label.endswith("yyy.png")


def test_class_names_are_text_in_the_figures_of_the_data(images: Pixels, labels: Pixels) -> None:
    hostile = [f"$\\nonsense{label}$ <b>" for label in range(10)]
    split = Split(images[..., np.newaxis], labels)
    for figure in (samples(split, hostile), class_counts({"train": split, "test": split}, hostile)):
        figure.draw_without_rendering()
        drawn = {text.get_text() for text in figure.findobj(Text)}
        assert drawn >= set(hostile)


def predictions(labels: Pixels, right: npt.NDArray[np.bool_]) -> Predictions:
    """Certain predictions: the label where it is to be right, else the next class."""
    best = np.where(right, labels, (labels + 1) % 10)
    return Predictions(labels, np.eye(10, dtype=np.float32)[best])


def numbers(figure: Figure) -> list[int]:
    return [int(text.removeprefix("test image ")) for text in written(figure) if text.startswith("test image ")]


def test_a_models_grid_has_correct_and_wrong_images(images: Pixels, labels: Pixels) -> None:
    right = np.arange(600) % 10 != 0
    figure = model_grid("cnn2", images[..., np.newaxis], predictions(labels, right), CLASSES)
    chosen = numbers(figure)
    assert chosen == sorted(chosen)
    assert [number for number in chosen if number % 10 == 0] == [0, 110, 230, 350, 470, 590]
    assert [number for number in chosen if number % 10][::8] == [1, 599]
    assert len(chosen) == 15
    suptitle = "cnn2: 9 of 540 correctly classified test images, 6 of 60 misclassified"
    assert figure.get_suptitle() == suptitle
    for picture, number in zip(figure.axes[0].images, chosen, strict=True):
        np.testing.assert_array_equal(picture.get_array(), images[number])
    marked = [text for text in written(figure) if "(" in text]
    assert marked == [f"{CLASSES[(labels[n] + 1) % 10]} 100% ({CLASSES[labels[n]]})" for n in chosen if n % 10 == 0]


@pytest.mark.parametrize(("right", "shown"), [(600, 9), (0, 6), (2, 8), (598, 11)])
def test_a_grid_shows_what_there_is(images: Pixels, labels: Pixels, right: int, shown: int) -> None:
    figure = model_grid("cnn2", images[..., np.newaxis], predictions(labels, np.arange(600) < right), CLASSES)
    assert len(set(numbers(figure))) == shown


NAMES = ["cnn1", "dense128", "simple_nn"]  # the last two are of one architecture
MODELS = {name: load_config().models[name] for name in NAMES}


@pytest.fixture
def source(raw_folder: Path, tmp_path: Path) -> Source:
    """Load what the earlier stages leave, for three models."""
    write_small_run(raw_folder, tmp_path / "data", dict.fromkeys(NAMES, 2.0))
    configs = {name: config.model_copy(update={"split": "standard"}) for name, config in MODELS.items()}
    return small_source(tmp_path / "data", NAMES, configs=configs)


@pytest.fixture
def dataset(source: Source) -> Dataset:
    return source.dataset


@pytest.fixture
def results(source: Source) -> list[Result]:
    return list(source.results)


@pytest.mark.slow  # draws all figures twice
def test_equal_figures_give_equal_bytes(dataset: Dataset, results: list[Result], tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        write_figures(folder, results[1:], dataset)
        written.append({str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")})
    first, second = written
    of_each = [f"{kind}/{name}.png" for kind in ("curves", "confusion", "predictions") for name in NAMES[1:]]
    of_data = ["class_counts.png", "pixel_range.png", "samples.png"]
    assert set(first) == {*of_data, *of_each, "hyperparameters/dense.png"}
    assert first == second
    for name in first:
        with Image.open(tmp_path / "first" / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300


def test_characters_without_a_font_are_warned_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _warn_of_boxes.cache_clear()
    split = Split(np.zeros((2, 28, 28, 1), np.uint8), np.array([0, 1], np.uint8))
    for _ in range(2):
        write_png(tmp_path / "samples.png", samples(split, ["Bag", "\U00013000"]))  # an Egyptian hieroglyph
    assert capsys.readouterr().err.count("warning: no installed font has all characters") == 1


def test_curves_are_labelled_by_the_settings_that_differ(results: list[Result]) -> None:
    assert families(MODELS) == {"dense": ["dense128", "simple_nn"]}
    narrow = MODELS["dense128"].model_copy(update={"epochs": 3})
    assert differing_settings([narrow, MODELS["dense128"]]) == ["epochs 3", f"epochs {MODELS['dense128'].epochs}"]

    labels = differing_settings([MODELS[result.name] for result in results[1:]])
    figure = hyperparameter_curves([result.curves for result in results[1:]], labels)
    loss, accuracy = figure.axes
    drawn = [np.asarray(line.get_ydata()).tolist() for line in accuracy.get_lines()]
    columns = "accuracy", "val_accuracy"
    assert drawn == [result.curves[column].tolist() for result in results[1:] for column in columns]
    (legend,) = figure.legends
    first, second = [text.get_text() for text in legend.get_texts()]
    assert "hidden [128]" in first
    assert "hidden [300, 100]" in second
    assert "optimizer.name sgd" in second
    assert "activation" not in first  # it is the same
    assert len(loss.get_lines()) == 4


def test_settings_of_the_user_change_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: yellow\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    printing = "import matplotlib, {}; print(matplotlib.rcParams['axes.facecolor'])"
    for module, colour in {"matplotlib.figure": "yellow", "pipeline.report.figures.style": "white"}.items():
        command = [sys.executable, "-c", printing.format(module)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == colour
