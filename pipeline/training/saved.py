"""A trained model, loaded without trusting its file."""

from importlib import import_module
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import keras
import numpy as np

from pipeline.errors import InputError

MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]


def load_model(path: Path, architecture: str, classes: int) -> keras.Model:
    """Load a model, running no code that the file brings along; its architecture's own layers are known.

    Raises InputError when it is no Keras model as training writes one, holds such code, has weights that are not
    finite, or tells another number of classes apart.
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
    """Raise ValueError unless the archive holds just what training writes, which is not packed.

    Keras unpacks whatever else there is, and what is packed may be of any size.
    """
    with ZipFile(path) as archive:
        found = sorted(
            f"{'' if one.compress_type == ZIP_STORED else 'packed '}{one.filename}" for one in archive.filelist
        )
    if found != MEMBERS:
        raise ValueError(f"an archive of {', '.join(found)} in place of {', '.join(MEMBERS)}")
