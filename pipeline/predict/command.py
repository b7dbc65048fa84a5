"""Run the command ``predict``.

Neither Keras nor TensorFlow is imported. What only some calls need is imported where they need it, so that one image
takes about a second.
"""

import json
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from pipeline.io import InputError, printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from pipeline.data.description import Description
    from pipeline.predict.images import Example
    from pipeline.predict.model import OnnxModel, Probabilities
    from pipeline.predict.outliers import OutlierDetector

MAX_PLOTTED = 60  # images on a page
SOFTWARE = "python -m pipeline predict"  # named by a plot in its metadata, so that no other picture is replaced
# What may be said of a file, by its key in JSON.
NOTES = {"inverted": "inverted", "fitted": "fitted", "out_of_distribution": "out of distribution"}
DESCRIPTION = """\
Predict the class of test images or of image files, with the probability of each class.

A model knows only what it was trained on. Models of Fashion-MNIST saw catalogue pictures of single garments, shoes and
bags: 28 x 28 pixels, grey, light on black, cropped and centred. Any other image gets one of the classes too, often
with a high probability.

Files are turned into images of the size and colours that the model takes:
- Where the border of nearly all training images is darker than middle grey, as in Fashion-MNIST, a file with a lighter
  border is inverted, and the other way round. Images in colour are not.
- A file of another size is cropped to its content and centred, as large as the content of test images, if its
  background is plain; light that falls off to one side is evened first. Data from folders of images were not cropped
  for training, and neither are files then.

A file is out of distribution if its reconstruction error by PCA of the test images exceeds that of 99 % of other test
images. Its class means nothing. With --onnx, files are not compared with the data.
"""
EPILOG = """\
--json prints an object a line (JSON Lines), each when it is known:
  {"model": "cnn2", "index": 15, "actual": "Trouser", "predicted": "Trouser", "probabilities": {"T-shirt/top": ...}}
  {"model": "cnn2", "file": "boot.jpg", "inverted": true, "fitted": true, "out_of_distribution": false, ...}

examples:
  python -m pipeline predict --model cnn2 --index 15
  python -m pipeline predict --plot boots.png boot.jpg other.png
  python -m pipeline predict --onnx cnn2.onnx boot.jpg
"""


def add_predict(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "predict",
        help="predict the class of test images or of image files",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", metavar="NAME", help="a model of params.yaml or frontier/params.yaml (default: the candidate)"
    )
    parser.add_argument(
        "--onnx",
        metavar="FILE.onnx",
        type=Path,
        help="a `model.onnx` written by `publish`; no data or parameters are read",
    )
    images = parser.add_mutually_exclusive_group()
    images.add_argument("--index", metavar="N", type=int, nargs="+", help="test images by number, from 0")
    images.add_argument(
        "files",
        metavar="FILE",
        type=Path,
        nargs="*",
        default=[],
        help="PNG or JPEG files of any size; one whose name begins with - as ./-NAME",
    )
    parser.add_argument(
        "--invert", action=BooleanOptionalAction, help="turn dark into light in files, or do not (default: see above)"
    )
    parser.add_argument(
        "--fit", action=BooleanOptionalAction, help="crop files to their content, or do not (default: see above)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")
    parser.add_argument(
        "--plot",
        metavar="OUT.png",
        type=Path,
        help=f"also draw up to {MAX_PLOTTED} images and their probabilities, into a new file or an earlier plot: the "
        "right class green, a wrong one red with the right one in brackets",
    )
    parser.set_defaults(command=run_predict)


class LoadedModel(NamedTuple):
    """A model that is ready to predict, and how it takes files.

    Attributes:
        name: Name of the model, printable.
        network: The network in ONNX Runtime.
        description: Class names and background of the training data.
        extent: How much of the frame the content of a file should fill. None leaves files uncropped.
        outliers: Detector of files that are out of distribution, if the data are there.
    """

    name: str
    network: "OnnxModel"
    description: "Description"
    extent: float | None
    outliers: "OutlierDetector | None"


def run_predict(arguments: Namespace) -> None:
    """Check all arguments, then predict and print batch by batch.

    Raises:
        InputError: The model is unknown, absent or of other data; a number is out of range; or a file cannot be read.
    """
    _check(arguments)
    model = _load_exported(arguments) if arguments.onnx else _load_trained(arguments)

    from pipeline.predict.model import BATCH_SIZE, predict_batches

    classes = model.description.classes
    examples = _load_images(arguments, model)
    show = partial(as_json, model.name) if arguments.json else as_text
    number = len(arguments.index or arguments.files)
    short = True if number <= BATCH_SIZE else None  # None shows the bar on a terminal alone
    plotted = []
    outliers = 0
    with tqdm(total=number, unit="image", disable=short) as bar:
        for predictions in predict_batches(model.network, examples):
            with tqdm.external_write_mode(file=sys.stdout):
                print("\n".join(show(example, found, classes) for example, found in predictions))
            bar.update(len(predictions))
            outliers += sum(bool(example.source.get("out_of_distribution")) for example, _ in predictions)
            if arguments.plot:
                plotted += predictions
    if arguments.files and not arguments.json:
        print(_training_note(model, outliers))
    if arguments.plot:
        _plot(arguments.plot, plotted, classes)


def _check(arguments: Namespace) -> None:
    """Raise InputError for arguments that do not go together, and files that are no images."""
    number = len(arguments.index or arguments.files)
    if not number:
        raise InputError("found no images, expected --index N or image files; a name that begins with - as ./-NAME")
    if arguments.onnx and not arguments.onnx.is_file():
        raise InputError(f"--onnx: found no file {printable(arguments.onnx)}, expected one that `publish` wrote")
    if arguments.onnx and (arguments.model or arguments.index):
        other = "--model" if arguments.model else "--index"
        raise InputError(f"--onnx: found with {other}, expected with image files alone; nothing but FILE.onnx is read")
    for option in ("invert", "fit"):
        if arguments.index and getattr(arguments, option) is not None:
            raise InputError(
                f"--{option}: found with --index, expected with files; models take test images as they are"
            )
    if plot := arguments.plot:
        if plot.suffix.lower() != ".png":
            raise InputError(f"--plot: found {printable(plot)}, expected a name that ends in .png")
        if not plot.parent.is_dir():
            raise InputError(f"--plot: found no folder {printable(plot.parent)}, expected one; create it first")
        if plot.resolve() in map(Path.resolve, arguments.files):
            raise InputError(f"--plot: found {printable(plot)} among the images to predict, expected another name")
        if plot.exists() and not _is_plot(plot):
            raise InputError(f"--plot: {printable(plot)} is no plot of this command and stays; name a new file")
        if number > MAX_PLOTTED:
            raise InputError(f"--plot: found {number:,} images, expected at most {MAX_PLOTTED}, which fill a page")
    if arguments.files:
        from pipeline.data.formats.images import check_image

        for file in arguments.files:
            check_image(file)


def _load_trained(arguments: Namespace) -> LoadedModel:
    """Load a model of the pipelines, after a check that it was trained on the data beside it."""
    from pipeline.config import PARAMS, find_model, load_config
    from pipeline.data.description import load_description

    if not PARAMS.exists():
        found = f"found no {PARAMS} in {printable(Path.cwd())}, expected the repository's folder"
        raise InputError(f"{found}; go there, or name an exported model by --onnx")
    config = load_config()
    name = arguments.model or config.model
    layout, _ = find_model(name)
    description = load_description()

    from pipeline.data.dataset import load_test_split
    from pipeline.predict.images import PREPARED, content_extent, is_cropped
    from pipeline.predict.model import OnnxModel, check_training_data, onnx_file
    from pipeline.predict.outliers import OutlierDetector

    path = onnx_file(layout, name)
    if check_training_data(layout, name) is None:
        found = f"{layout.folder / 'dvc.lock'}: found no training of {name}"
        print(f"{found}; whether it was trained on {PREPARED} is not known", file=sys.stderr)
    network = OnnxModel(path, len(description.classes))
    if arguments.index:
        return LoadedModel(name, network, description, None, None)
    images = load_test_split(PREPARED).images
    by_default = is_cropped(description, config.data.format)
    extent = content_extent(images) if _choose(arguments.fit, by_default) else None
    return LoadedModel(name, network, description, extent, OutlierDetector.of(images))


def _load_exported(arguments: Namespace) -> LoadedModel:
    """Load a model from a file that says itself what else is needed."""
    from pipeline.data.description import Description
    from pipeline.predict.model import OnnxModel

    network = OnnxModel(arguments.onnx)
    metadata = network.read_metadata()
    extent = metadata.content_extent
    if arguments.fit and extent is None:
        raise InputError(f"--fit: found {printable(arguments.onnx)} of data that were not cropped, expected no --fit")
    description = Description(classes=metadata.class_names, background=metadata.background)
    return LoadedModel(metadata.name, network, description, extent if _choose(arguments.fit, True) else None, None)


def _choose(option: bool | None, default: bool) -> bool:
    return default if option is None else option


def _load_images(arguments: Namespace, model: LoadedModel) -> "Iterable[Example]":
    """Load the test images, or yield each file when it is asked for, so that few are held at a time."""
    from pipeline.predict.images import PREPARED, load_file, load_test_images

    if arguments.index:
        return load_test_images(PREPARED, arguments.index)
    shape, description, extent = model.network.shape, model.description, model.extent
    examples = (load_file(file, shape, description, arguments.invert, extent) for file in arguments.files)
    return (_mark(example, model.outliers) for example in examples)


def _mark(example: "Example", outliers: "OutlierDetector | None") -> "Example":
    """Note whether an image is out of distribution, where that can be said."""
    if outliers is None:
        return example
    return replace(example, source=example.source | {"out_of_distribution": outliers.is_outlier(example.pixels)})


def as_text(example: "Example", probabilities: "Probabilities", classes: Sequence[str]) -> str:
    """Return name and prediction, whether it is right if that is known, and a line a class, most probable first."""
    names = [printable(name) for name in classes]
    order = np.argsort(-probabilities, kind="stable")
    heading = f"{example.name}: {names[order[0]]}"
    if example.label is not None:
        heading += " (right)" if example.label == order[0] else f" (wrong: it is {names[example.label]})"
    elif notes := [words for key, words in NOTES.items() if example.source.get(key)]:
        heading += f" ({', '.join(notes)})"
    width = max(map(len, names))
    return "\n".join([heading, *(f"  {names[i]:{width}}  {probabilities[i]:7.2%}" for i in order)])


def as_json(model: str, example: "Example", probabilities: "Probabilities", classes: Sequence[str]) -> str:
    """Return one JSON object on one line, in ASCII.

    Its keys: model; index, or file, inverted, fitted, and out_of_distribution if that is known; actual if known;
    predicted; probabilities, of all classes by name.
    """
    actual = {} if example.label is None else {"actual": classes[example.label]}
    document = {"model": model, **example.source, **actual, "predicted": classes[int(probabilities.argmax())]}
    shares = dict(zip(classes, probabilities.tolist(), strict=True))
    return json.dumps(document | {"probabilities": shares}, allow_nan=False)


def _training_note(model: LoadedModel, outliers: int) -> str:
    """Return what a model was trained on, since it classifies any image, and how many are out of distribution."""
    height, width, channels = model.network.shape
    background = f" on a {model.description.background} background" if model.description.background else ""
    colours = "grey" if channels == 1 else "colour"
    note = (
        f"{model.name} was trained on images of {height} × {width} pixels in {colours}{background}, each of one of "
        f"these {model.network.classes} classes. It gives any other image one of them too."
    )
    return f"{note} Images out of distribution: {outliers}; their classes mean nothing." if outliers else note


def _is_plot(path: Path) -> bool:
    """Return whether `_plot` has written a file."""
    return path.is_file() and f"Software\0{SOFTWARE}".encode() in path.read_bytes()


def _plot(path: Path, predictions: "Sequence[tuple[Example, Probabilities]]", classes: Sequence[str]) -> None:
    """Draw images and their probabilities into a PNG file that names `SOFTWARE`."""
    from PIL.PngImagePlugin import PngInfo

    from pipeline.report.figures.images import Predicted, prediction_grid
    from pipeline.report.figures.style import write_png

    shown = [Predicted(example.pixels, found, example.label, example.name) for example, found in predictions]
    metadata = PngInfo()
    metadata.add_text("Software", SOFTWARE)
    write_png(path, prediction_grid(shown, classes), metadata)
