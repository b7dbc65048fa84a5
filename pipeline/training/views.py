"""Test-time augmentation."""

from typing import Any

import keras
from keras import layers, ops


def averaged_over_views(model: keras.Model, mirror: bool, shift: int) -> keras.Model:
    """A model that answers the mean of what `model`, whose weights it shares, answers for several views of an image.

    With `mirror`, for its mirror image too; with a `shift`, for the image moved by so many pixels up and left, and down
    and right, black coming in: up to six views, as in Jordan, 2024, "94% on CIFAR-10 in 3.29 seconds". Without either,
    `model` itself. It is made of Keras' own layers and operations, so that it is saved and exported as any other.
    """
    images = keras.Input(model.input_shape[1:])
    views = [images]
    if shift:
        views += [_moved(images, -shift), _moved(images, shift)]
    if mirror:
        views += [ops.flip(view, axis=2) for view in views]
    if len(views) == 1:
        return model
    return keras.Model(images, layers.Average(dtype="float32")([model(view) for view in views]))


def _moved(images: Any, pixels: int) -> Any:
    """Images moved down and right by `pixels`, up and left where they are negative."""
    _, height, width, _ = images.shape
    margin = (max(pixels, 0), max(-pixels, 0))
    padded = ops.pad(images, ((0, 0), margin, margin, (0, 0)))
    rest = abs(pixels) if pixels < 0 else 0
    return padded[:, rest : rest + height, rest : rest + width]
