"""Build a network by the name of its architecture."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.io import InputError

if TYPE_CHECKING:
    import keras

LARGEST_TRIED = 64  # pixels a side; what takes no image of this size is wrong for another reason


def build(
    architecture: str, input_shape: tuple[int, int, int], classes: int, options: Mapping[str, Any]
) -> "keras.Model":
    """Call ``build`` of ``pipeline/architectures/<architecture>.py``, importing that file alone.

    The network takes normalized float images (n, height, width, channels) and gives (n, classes).

    Raises InputError if the images are too small for the architecture, naming the smallest that are not.
    """
    module = import_module(f"pipeline.architectures.{architecture}")

    def of_size(height: int, width: int) -> "keras.Model | ValueError":
        try:
            network: keras.Model = module.build((height, width, input_shape[2]), classes, **options)
        except ValueError as error:  # a convolution or a pooling leaves no pixel
            return error
        return network

    height, width, _ = input_shape
    network = of_size(height, width)
    if not isinstance(network, ValueError):
        return network
    for side in range(min(height, width) + 1, LARGEST_TRIED + 1):
        if not isinstance(of_size(side, side), ValueError):
            found = f"images of {height} × {width} pixels"
            raise InputError(f"architecture {architecture}: found {found}, expected at least {side} × {side}")
    raise network
