"""Write ``try.html``: one file that runs a model in the browser, without a network."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.publish.browser_runtime import CACHE

MAX_PARAMETERS = 100_000  # 0.5 MB of the page; more accurate models have up to ten times as many


class Candidate(NamedTuple):
    """A model that the page may run: its name, number of parameters, and accuracy on the validation images."""

    name: str
    parameters: int
    validation_accuracy: float


def choose_model(candidates: Iterable[Candidate]) -> str:
    """Return the name of the most accurate model of at most `MAX_PARAMETERS`, or else of the smallest.

    Validation images decide, since test images select nothing. Among equals it is the first.
    """
    known = list(candidates)
    small = [one for one in known if one.parameters <= MAX_PARAMETERS]
    smallest = min(known, key=lambda one: one.parameters)
    return max(small, key=lambda one: one.validation_accuracy, default=smallest).name


def write_try_page(path: Path, onnx: Path, prepared: Path, cache: Path = CACHE) -> None:
    """Write the page.

    Args:
        path: The page.
        onnx: A published model. Its metadata name the classes and describe the images.
        prepared: The archive with the test images.
        cache: The folder for the archive of ONNX Runtime Web, which is downloaded once.

    Raises:
        InputError: A file is absent, damaged, or does not fit the others; or ONNX Runtime Web cannot be downloaded.
    """
    raise NotImplementedError
