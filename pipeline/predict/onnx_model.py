"""Run a trained model by ONNX Runtime, which starts in a fraction of the time that TensorFlow takes."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipeline.data.formats.images import MODES
from pipeline.data.messages import printable
from pipeline.io import InputError, require_output
from pipeline.predict.images import Example, Images

Probabilities = npt.NDArray[np.float32]

BATCH_SIZE = 200  # large enough to be quick, small enough for a progress bar that moves while photographs are read


def onnx_file(folder: Path, stage: str) -> Path:
    """Return the ONNX file in the folder of a model, or raise InputError that says how to make it."""
    path = folder / "model.onnx"
    if (folder / "model.keras").exists() and not path.exists():
        advice = f"JAX writes none; train on TensorFlow by `KERAS_BACKEND=tensorflow dvc repro --force {stage}`"
        raise InputError(f"{path}: file not found; {advice}")
    return require_output(path, stage)


class OnnxModel:
    """A trained model in ONNX Runtime, on all CPU cores that this process may use.

    Attributes:
        path: Its file.
        shape: Height, width and channels of an image.
        classes: Number of classes.
        metadata: What the file says of itself.
    """

    def __init__(self, path: Path, classes: int | None = None) -> None:
        """Load the file of a model.

        Raises InputError if it is damaged, has other inputs and outputs than training writes, or tells another number
        of classes apart than is expected, if one is.
        """
        self.path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _available_cpus()
        options.log_severity_level = 4  # the message is in the exception
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's have no base class of their own
            raise InputError(f"{printable(path)}: expected a model in ONNX format, found: {_reason(error)}") from error
        self.shape, self.classes = self._check_signature(path)
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if classes is not None and self.classes != classes:
            found = f"{self.classes} classes, expected {classes} as in data/dataset.json"
            raise InputError(f"{path}: found {found}; the data changed after the training, run `dvc repro`")

    def _check_signature(self, path: Path) -> tuple[tuple[int, int, int], int]:
        """Return the shape of an image and the number of classes, or raise InputError for other inputs and outputs."""
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        match found := [(value.name, value.type, value.shape) for value in values]:
            case [
                ("pixels", "tensor(float)", [_, int() as height, int() as width, int() as channels]),
                ("probabilities", "tensor(float)", [_, int() as classes]),
            ] if channels in MODES:
                return (height, width, channels), classes
        expected = "float pixels (n, height, width, 1 or 3 channels) and probabilities (n, classes)"
        raise InputError(f"{printable(path)}: found {found}, expected {expected}")

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
