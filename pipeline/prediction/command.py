"""The command ``predict``."""

import os
from argparse import ArgumentParser, BooleanOptionalAction, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.artifacts import existing
from pipeline.dataset.description import Description, read_description
from pipeline.dataset.images import check_image
from pipeline.errors import InputError
from pipeline.evaluation.kinds import kind_of
from pipeline.params.reading import network_named, read_params
from pipeline.prediction.examples import Example, file_example, numbered_examples
from pipeline.prediction.show import as_json, as_text

if TYPE_CHECKING:
    from argparse import _SubParsersAction

Probabilities = npt.NDArray[np.float32]

MOST_PLOTTED = 60  # images that a page takes
DESCRIPTION = """\
Predict the class of test images or of image files, with the probability of each class.

Files are turned into images of the size and colours that the model takes. Where the border of nearly all training
images is darker than middle grey, as in Fashion-MNIST, a file with a lighter one is inverted, and the other way round,
unless --invert or --no-invert says what to do. Images in colour are never inverted unless asked for.
"""
EPILOG = """\
--json prints an object a line (JSON Lines), each when it is known:
  {"model": "cnn2", "index": 15, "actual": "Trouser", "predicted": "Trouser", "probabilities": {"T-shirt/top": ...}}
  {"model": "cnn2", "file": "boot.jpg", "inverted": true, "predicted": "Ankle boot", "probabilities": {...}}

examples:
  python -m pipeline predict --model cnn2 --index 15
  python -m pipeline predict --plot boots.png boot.jpg other.png
"""


def add_predict(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to those that the command line knows."""
    parser = commands.add_parser(
        "predict",
        help="predict the class of test images or of image files",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", metavar="NAME", help="a model or student of params.yaml (default: its candidate)")
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--index", metavar="N", type=int, nargs="+", help="test images by number, from 0")
    images.add_argument("files", metavar="FILE", type=Path, nargs="*", default=[], help="PNG or JPEG files of any size")
    parser.add_argument(
        "--invert", action=BooleanOptionalAction, help="turn dark into light in files, or do not (default: see above)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")
    parser.add_argument(
        "--plot",
        metavar="OUT.png",
        type=Path,
        help=f"also draw up to {MOST_PLOTTED} images and their probabilities: the right class green, a wrong one red "
        "with the right one in brackets",
    )
    parser.set_defaults(command=run_predict)


def run_predict(arguments: Namespace) -> None:
    """Check all that can be checked, import Keras, which takes seconds, then predict and show.

    Raises InputError for an unknown or absent model, a number outside the range, a file that cannot be read, a plot
    that cannot be drawn.
    """
    params = read_params()
    name = arguments.model or params.model
    architecture = network_named(params, name).architecture
    path = existing(Path(f"data/models/{name}/model.keras"), f"{kind_of(params, name).maker}@{name}")
    description = read_description()
    classes = description.classes
    number = len(arguments.index or arguments.files)
    _check(arguments, number)
    tests = numbered_examples(Path("data/prepared.npz"), arguments.index) if arguments.index else None

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.prediction.batches import BATCH_SIZE, predict_batches
    from pipeline.training.saved import load_model

    model = load_model(path, architecture, len(classes))
    examples = tests or _read(arguments.files, model.input_shape[1:], description, arguments.invert)
    show = partial(as_json, name) if arguments.json else as_text
    plotted = []
    short = True if number <= BATCH_SIZE else None  # None shows the bar on a terminal alone
    with tqdm(total=number, unit="image", disable=short) as bar:
        for answers in predict_batches(model, examples):
            bar.write("\n".join(show(example, found, classes) for example, found in answers))
            bar.update(len(answers))
            if arguments.plot:
                plotted += answers
    if arguments.plot:
        _plot(arguments.plot, plotted, classes)


def _check(arguments: Namespace, number: int) -> None:
    """Refuse what does not go together, and files that are no images."""
    if arguments.index and arguments.invert is not None:
        raise InputError("--invert: found with --index, expected with image files; test images are as models know them")
    if arguments.plot and arguments.plot.suffix.lower() != ".png":
        raise InputError(f"--plot: found {arguments.plot}, expected a name that ends in .png")
    if arguments.plot and number > MOST_PLOTTED:
        raise InputError(f"--plot: found {number:,} images, expected at most {MOST_PLOTTED}, which a page takes")
    for file in arguments.files:
        check_image(file)


def _read(
    files: Iterable[Path], shape: tuple[int, int, int], description: Description, invert: bool | None
) -> Iterator[Example]:
    """Read each file when it is asked for, so that few are held at a time."""
    for file in files:
        yield file_example(file, shape, description, invert)


def _plot(path: Path, answers: Sequence[tuple[Example, Probabilities]], classes: Sequence[str]) -> None:
    from pipeline.report.figures.png import write_png
    from pipeline.report.figures.prediction_grid import Predicted, prediction_grid

    shown = [Predicted(example.pixels, found, example.label, example.name) for example, found in answers]
    try:
        write_png(path, prediction_grid(shown, classes))
    except OSError as error:
        raise InputError(f"--plot: {path} cannot be written: {error.strerror}") from error
