"""Load a model's ONNX file and predict by ONNX Runtime, which starts in a fraction of the time that TensorFlow takes.

A model knows its classes by number alone. A file of the pipeline takes their names from ``data/dataset.json``, if that
is of the data that it was trained on. An exported file, which ``publish`` wrote, holds the names itself.
"""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, ValidationError

from pipeline.config import Layout, load_all
from pipeline.data.formats.images import MODES
from pipeline.io import InputError, printable, require_output
from pipeline.predict.images import PREPARED, Example, Images
from pipeline.programs import md5

Probabilities = npt.NDArray[np.float32]

BATCH_SIZE = 200  # large enough to be quick, small enough for a progress bar that moves while photographs are read


def onnx_file(layout: Layout, name: str) -> Path:
    """Return the ONNX file of a model of this pipeline.

    Raises InputError that says how to make it, and which models have one, if it is absent.
    """
    path = layout.model(name) / "model.onnx"
    if path.exists():
        return path
    advice = f"run `dvc repro {layout.stage('train', name)}`"
    if path.with_name("model.keras").exists():
        command = f"KERAS_BACKEND=tensorflow dvc repro --force {layout.stage('train', name)}"
        advice = f"JAX writes none; train on TensorFlow by `{command}`"
    models = [(other, one) for other, pipeline in load_all() for one in pipeline.models]
    if trained := [one for other, one in models if (other.model(one) / path.name).exists()]:
        advice += f", or name a trained model: {', '.join(trained)}"
    raise InputError(f"{path}: file not found; {advice}")


def check_training_data(layout: Layout, name: str) -> str | None:
    """Check that the prepared images are those that a model of this pipeline was trained on, and return their MD5.

    Other names of the same classes are no change. Nothing is checked, and None returned, where DVC has recorded no
    training, as after one by hand. Raises InputError if the images have changed since, or are absent.
    """
    require_output(PREPARED, "preprocess")
    lock = layout.folder / "dvc.lock"
    expected = _recorded_md5(lock, f"train@{name}")
    if expected not in (None, md5(PREPARED)):
        advice = f"the data changed after the training, run `dvc repro {layout.stage('train', name)}`"
        raise InputError(f"{PREPARED}: found other images than {name} was trained on by {lock}; {advice}")
    return expected


def _recorded_md5(lock: Path, stage: str) -> str | None:
    """Return the MD5 that a lock file has of the prepared images that a stage read, if any.

    Lines are searched as DVC writes them, since parsing all YAML of the file takes a sixth of a second.
    """
    try:
        text = lock.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    entry = re.search(rf"^  {re.escape(stage)}:\n(?:    .*\n)+", text, re.MULTILINE)
    keys = r"(?:      .*\n)*?"  # of the same item
    item = rf"^    - path: {re.escape(str(PREPARED))}\n{keys}      md5: ([0-9a-f]{{32}})$"
    found = re.search(item, entry.group(), re.MULTILINE) if entry else None
    return found.group(1) if found else None


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("names that differ from each other expected")
    return names


Printable = Annotated[str, Field(min_length=1), AfterValidator(printable)]
EmptyIsNone = BeforeValidator(lambda text: text or None)  # metadata are texts; an empty one says that there is none


class Metadata(BaseModel):
    """Metadata of an exported file that `predict` needs; the file may hold more.

    Attributes:
        name: Name of the model.
        class_names: Class names in the order of the outputs.
        background: Background of nearly all training images, if they have one.
        content_extent: How much of the frame the content of test images fills; None where images are not cropped.
    """

    model_config = ConfigDict(frozen=True)

    name: Printable
    class_names: Annotated[Json[list[Annotated[str, Field(min_length=1)]]], AfterValidator(_distinct)]
    background: Annotated[Literal["dark", "light"] | None, EmptyIsNone]
    content_extent: Annotated[Annotated[float, Field(gt=0, le=1)] | None, EmptyIsNone]


class OnnxModel:
    """A trained model in ONNX Runtime, on all CPU cores that this process may use.

    Attributes:
        path: Path of its file.
        shape: Height, width and channels of an image.
        classes: Number of classes.
        properties: Metadata of the file, texts by name.
    """

    def __init__(self, path: Path, classes: int | None = None) -> None:
        """Load the file of a model.

        Raises InputError if it is damaged, has other inputs and outputs than training writes, or predicts another
        number of classes than `classes`.
        """
        self.path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _available_cpus()
        options.log_severity_level = 4  # the message is in the exception
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's have no base class of their own
            raise InputError(f"{printable(path)}: expected a model in ONNX format, found: {_reason(error)}") from error
        self.shape, self.classes = self._check_signature()
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if classes is not None and self.classes != classes:
            found = f"{self.classes} classes, expected {classes} as in data/dataset.json"
            raise InputError(f"{path}: found {found}; the data changed after the training, run `dvc repro`")

    def _check_signature(self) -> tuple[tuple[int, int, int], int]:
        """Return the shape of an image and the number of classes, or raise InputError for other inputs and outputs."""
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        match found := [(value.name, value.type, value.shape) for value in values]:
            case [
                ("pixels", "tensor(float)", [str() | None, int() as height, int() as width, int() as channels]),
                ("probabilities", "tensor(float)", [str() | None, int() as classes]),
            ] if channels in MODES:
                return (height, width, channels), classes
        expected = "float pixels (n, height, width, 1 or 3 channels) and probabilities (n, classes)"
        raise InputError(f"{printable(self.path)}: found {found}, expected {expected}")

    def read_metadata(self) -> Metadata:
        """Read the metadata of an exported file.

        Raises InputError if an entry is absent or wrong, or if there are other numbers of names and classes.
        """
        expected = "expected a file that `python -m pipeline publish` has written"
        try:
            metadata = Metadata.model_validate(self.properties)
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            key = wrong["loc"][0]
            if wrong["type"] == "missing":
                raise InputError(f"{printable(self.path)}: found no {key} in its metadata, {expected}") from error
            message = f"found {printable(self.properties[str(key)][:80])} ({wrong['msg']})"
            raise InputError(f"{printable(self.path)}: metadata, {key}: {message}, {expected}") from error
        if len(metadata.class_names) != self.classes:
            found = f"{len(metadata.class_names)} class names for {self.classes} classes"
            raise InputError(f"{printable(self.path)}: metadata, class_names: found {found}, {expected}")
        return metadata

    def predict(self, images: Images) -> Probabilities:
        """Return probabilities, float32 (n, classes), for raw pixels, uint8 (n, height, width, channels).

        Each row sums to 1. Where a network gives no finite numbers, as RBF units do far from all centres, every class
        is equally likely.
        """
        try:
            (found,) = self._session.run(["probabilities"], {"pixels": images.astype(np.float32)})
        except Exception as error:  # a graph may fail on the first image only
            raise InputError(f"{printable(self.path)}: expected a model that runs, found: {_reason(error)}") from error
        finite = np.isfinite(found).all(axis=1, keepdims=True)
        return np.where(finite, found, np.float32(1 / self.classes))


def _available_cpus() -> int:
    """Return how many CPUs this process may use; macOS tells how many there are only."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(error: Exception) -> str:
    return printable(str(error).strip().partition("\n")[0]) or type(error).__name__


def predict_batches(model: OnnxModel, examples: Iterable[Example]) -> Iterator[list[tuple[Example, Probabilities]]]:
    """Yield each example with its probabilities, float32 (classes,), a batch at a time.

    No more than a batch is held. Raises InputError for an image of another shape than the model takes.
    """
    waiting = iter(examples)
    while batch := list(islice(waiting, BATCH_SIZE)):
        for example in batch:
            if example.pixels.shape != model.shape:
                found, expected = (" × ".join(map(str, sizes)) for sizes in (example.pixels.shape, model.shape))
                raise InputError(f"{example.name}: found {found} values, expected {expected} as the model takes")
        probabilities = model.predict(np.stack([example.pixels for example in batch]))
        yield list(zip(batch, probabilities, strict=True))
