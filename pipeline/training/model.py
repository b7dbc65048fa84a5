"""Build a model: the network of an architecture, its normalization and test-time augmentation."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import keras
from keras import layers, ops

from pipeline.data.dataset import Normalization
from pipeline.io import InputError

LARGEST_TRIED = 64  # pixels a side; an architecture that takes no image of this size fails for another reason


def build_network(
    architecture: str, input_shape: tuple[int, int, int], classes: int, options: Mapping[str, Any]
) -> keras.Model:
    """Call ``build`` of ``pipeline/architectures/<architecture>.py``, importing that file alone.

    Args:
        architecture: Name of the file.
        input_shape: Height, width and channels of an image.
        classes: Number of classes.
        options: Keyword arguments of ``build``.

    Returns:
        A network that takes normalized float images (n, height, width, channels) and returns (n, classes).

    Raises:
        InputError: The images are too small for the architecture. The message names the smallest size.
    """
    module = import_module(f"pipeline.architectures.{architecture}")

    def build_for(height: int, width: int) -> keras.Model | ValueError:
        try:
            return module.build((height, width, input_shape[2]), classes, **options)
        except ValueError as error:  # a convolution or a pooling leaves no pixel
            return error

    height, width, _ = input_shape
    network = build_for(height, width)
    if not isinstance(network, ValueError):
        return network
    for side in range(min(height, width) + 1, LARGEST_TRIED + 1):
        if not isinstance(build_for(side, side), ValueError):
            found = f"images of {height} × {width} pixels"
            raise InputError(f"architecture {architecture}: found {found}, expected at least {side} × {side}")
    raise network


def with_normalization(network: keras.Model, normalization: Normalization) -> keras.Model:
    """Put the normalization before a network: the model takes raw pixels, 0 to 255."""
    return keras.Sequential(
        [
            keras.Input(network.input_shape[1:]),
            layers.Rescaling(
                1 / normalization.scale, offset=-normalization.offset / normalization.scale, dtype="float32"
            ),
            network,
        ]
    )


def precision_of(model: keras.Model) -> str:
    """Return the dtype policy that the layers with weights compute in.

    Networks that compute in bfloat16 keep their last layer in float32, which does not count.
    """
    policies = {layer.dtype_policy.name for layer in _leaves(model) if layer.weights}
    return next(iter(sorted(policies - {"float32"})), "float32")


def _leaves(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
    for part in inner or ():
        yield from _leaves(part)


def with_tta(model: keras.Model, flip: bool, translate: int) -> keras.Model:
    """Add test-time augmentation: average the outputs for several views of an image.

    The views are those of Jordan, 2024, "94% on CIFAR-10 in 3.29 seconds", up to six. The result is made of Keras' own
    layers and operations, so it is saved and exported as any other model.

    Args:
        model: The model, whose weights are shared.
        flip: Whether to add the mirror image of each view.
        translate: Pixels by which two more views are moved, up and left, and down and right. 0 is none.

    Returns:
        A model of the same input and output, or `model` itself when there is one view.
    """
    images = keras.Input(model.input_shape[1:])
    views = [images]
    if translate:
        views += [_translate(images, -translate), _translate(images, translate)]
    if flip:
        views += [ops.flip(view, axis=2) for view in views]
    if len(views) == 1:
        return model
    return keras.Model(images, layers.Average(dtype="float32")([model(view) for view in views]))


def _translate(images: Any, pixels: int) -> Any:
    """Move images down and right by so many pixels, or up and left where they are negative; black comes in."""
    _, height, width, _ = images.shape
    margin = (max(pixels, 0), max(-pixels, 0))
    padded = ops.pad(images, ((0, 0), margin, margin, (0, 0)))
    rest = abs(pixels) if pixels < 0 else 0
    return padded[:, rest : rest + height, rest : rest + width]
