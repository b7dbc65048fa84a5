"""Save a trained model, load it without trusting its file, and predict with it."""

import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import keras
import numpy as np
import numpy.typing as npt
import onnx

from pipeline.io import InputError, atomic_write, write_json
from pipeline.training.sampler import EVAL_BATCH_SIZE

MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]


def save_model(model: keras.Model, folder: Path, identity: Mapping[str, str | int]) -> None:
    """Write ``model.keras``, ``model.json`` and, where TensorFlow trains, ``model.onnx`` into a folder.

    Keras exports all layers from no other backend: ONNX Runtime refuses pooling as it comes from JAX.

    Args:
        model: A model of raw pixels.
        folder: The folder.
        identity: What tells this model from others. ``model.json`` and the metadata of the ONNX file hold it, and how
            the model is used.
    """
    description = {**identity, **_usage(model)}
    with atomic_write(folder / "model.keras") as path:
        model.save(path)
    write_json(folder / "model.json", description)
    if keras.backend.backend() == "tensorflow":
        export_onnx(model, folder / "model.onnx", description)


def _usage(model: keras.Model) -> dict[str, str | int]:
    height, width, channels = model.input_shape[1:]
    return {
        "input": "float32 (n, height, width, channels), raw pixels from 0 to 255",
        "height": height,
        "width": width,
        "channels": channels,
        "classes": model.output_shape[-1],
    }


def export_onnx(model: keras.Model, path: Path, metadata: Mapping[str, str | int]) -> None:
    """Write a model as ONNX, with its normalization and the division of its outputs by their sum, as in `predict`.

    The file's input ``pixels`` is float32 (n, height, width, channels), raw, 0 to 255. Its output ``probabilities`` is
    float32 (n, classes), each row summing to 1. n is free.

    Args:
        model: A model of raw pixels.
        path: The file.
        metadata: Written into the file as text.
    """
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    outputs = model(pixels)
    probabilities = outputs / keras.ops.sum(outputs, axis=1, keepdims=True)
    named = keras.Model(pixels, {"probabilities": probabilities})
    signature = [keras.InputSpec(dtype="float32", shape=named.input_shape, name="pixels")]
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # Keras mends tf2onnx for NumPy 2
        named.export(temporary, format="onnx", input_signature=signature, verbose=False)
        exported = onnx.load(temporary)
        onnx.helper.set_model_props(exported, {key: str(value) for key, value in metadata.items()})
        onnx.save(exported, temporary)


def load_model(path: Path, architecture: str, classes: int) -> keras.Model:
    """Load a model without running code from its file. The architecture's own layers are known.

    Args:
        path: The file, ``model.keras``.
        architecture: Name of the model's architecture.
        classes: Expected number of classes.

    Returns:
        The model, not compiled.

    Raises:
        InputError: The file is no Keras model as training writes one, holds code, has weights that are not finite, or
            has another number of classes.
    """
    import_module(f"pipeline.architectures.{architecture}")  # registers its layers
    try:
        _check_members(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise TypeError(f"a {type(model).__name__}")
    except Exception as error:  # what Keras raises on a crafted file may be anything
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{path}: expected a model that Keras loads in safe mode, found: {reason}") from error
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise InputError(f"{path}: found weights that are not finite, expected a trained model")
    if model.output_shape[-1] != classes:
        raise InputError(f"{path}: found {model.output_shape[-1]} classes, expected {classes} as in data/dataset.json")
    return model


def _check_members(path: Path) -> None:
    """Raise ValueError unless the archive holds exactly the members that training writes, not compressed.

    Keras unpacks any other member, and a compressed one may be of any size.
    """
    with ZipFile(path) as archive:
        found = sorted(
            f"{'' if one.compress_type == ZIP_STORED else 'packed '}{one.filename}" for one in archive.filelist
        )
    if found != MEMBERS:
        raise ValueError(f"an archive of {', '.join(found)} in place of {', '.join(MEMBERS)}")


def predict(model: keras.Model, images: npt.NDArray[np.uint8], shards: int = 1) -> npt.NDArray[np.float32]:
    """Predict probabilities.

    The outputs of a softmax layer sum to 1 by themselves. Those of RBF units are divided by their sum, as in the
    cross-entropy they were trained with. Where none of them is above 0, all classes are equally likely.

    Args:
        model: A model of raw pixels.
        images: Pixels, uint8 (n, height, width, channels).
        shards: Parts of each batch that are computed side by side, on TensorFlow.

    Returns:
        Probabilities, float32 (n, classes), each row summing to 1.
    """
    if shards > 1:
        from pipeline.training.backends.tensorflow import Sharded

        model = Sharded(model, shards)
    starts = range(0, len(images), EVAL_BATCH_SIZE)
    outputs = np.concatenate([model.predict_on_batch(images[start : start + EVAL_BATCH_SIZE]) for start in starts])
    total = outputs.sum(axis=1, keepdims=True)
    uniform = np.full_like(outputs, 1 / outputs.shape[1])
    probabilities: npt.NDArray[np.float32] = np.divide(outputs, total, out=uniform, where=total > 0)
    return probabilities
