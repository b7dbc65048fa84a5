"""Build a network by the name of its architecture."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def build(
    architecture: str, input_shape: tuple[int, int, int], classes: int, options: Mapping[str, Any]
) -> "keras.Model":
    """Call ``build`` of ``pipeline/architectures/<architecture>.py``, importing that file alone.

    The network takes normalized float images (n, height, width, channels) and gives (n, classes).
    """
    network: keras.Model = import_module(f"pipeline.architectures.{architecture}").build(
        input_shape, classes, **options
    )
    return network
