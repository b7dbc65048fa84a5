"""Export to ONNX, for use without Keras."""

import warnings
from pathlib import Path

import keras

from pipeline.artifacts import replacing
from pipeline.errors import InputError


def export_onnx(model: keras.Model, path: Path) -> None:
    """Write `model` with its normalization and the answers' division by their sum, as `predict` gives them.

    The file's input ``pixels`` is float32 (n, height, width, channels), raw, 0 to 255; its output ``probabilities``
    float32 (n, classes), each row summing to 1. n is free.

    Raises InputError under another backend than TensorFlow: pooling as exported from JAX is refused by ONNX Runtime.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"KERAS_BACKEND: found {keras.backend.backend()}, expected tensorflow to export to ONNX")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    answers = model(pixels)
    probabilities = answers / keras.ops.sum(answers, axis=1, keepdims=True)
    named = keras.Model(pixels, {"probabilities": probabilities})
    signature = [keras.InputSpec(dtype="float32", shape=named.input_shape, name="pixels")]
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # Keras mends tf2onnx for NumPy 2
        named.export(temporary, format="onnx", input_signature=signature, verbose=False)
