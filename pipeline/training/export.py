"""Write a trained model: for Keras, and as ONNX for use without it."""

import warnings
from pathlib import Path

import keras

from pipeline.artifacts import replacing


def write_model(model: keras.Model, folder: Path) -> None:
    """Write ``model.keras`` and, where TensorFlow trains, ``model.onnx`` into `folder`.

    From no other backend does Keras export all layers: ONNX Runtime refuses pooling as it comes from JAX.
    """
    with replacing(folder / "model.keras") as path:
        model.save(path)
    if keras.backend.backend() == "tensorflow":
        export_onnx(model, folder / "model.onnx")


def export_onnx(model: keras.Model, path: Path) -> None:
    """Write `model` with its normalization and the answers' division by their sum, as `predict` gives them.

    The file's input ``pixels`` is float32 (n, height, width, channels), raw, 0 to 255; its output ``probabilities``
    float32 (n, classes), each row summing to 1. n is free.
    """
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    answers = model(pixels)
    probabilities = answers / keras.ops.sum(answers, axis=1, keepdims=True)
    named = keras.Model(pixels, {"probabilities": probabilities})
    signature = [keras.InputSpec(dtype="float32", shape=named.input_shape, name="pixels")]
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # Keras mends tf2onnx for NumPy 2
        named.export(temporary, format="onnx", input_signature=signature, verbose=False)
