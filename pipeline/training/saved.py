"""A trained model, loaded without trusting its file."""

from importlib import import_module
from pathlib import Path
from zipfile import BadZipFile

import keras

from pipeline.errors import InputError


def load_model(path: Path, architecture: str, classes: int) -> keras.Model:
    """Load a model, running no code that the file brings along; its architecture's own layers are known.

    Raises InputError when it is no Keras model, holds such code, or tells another number of classes apart.
    """
    import_module(f"pipeline.architectures.{architecture}")  # registers its layers
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (BadZipFile, KeyError, OSError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: expected a model that Keras loads in safe mode, found: {reason}") from error
    if model.output_shape[-1] != classes:
        raise InputError(f"{path}: found {model.output_shape[-1]} classes, expected {classes} as in data/dataset.json")
    return model
