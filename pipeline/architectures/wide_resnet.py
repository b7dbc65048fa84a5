"""Wide residual networks (Zagoruyko and Komodakis, 2016)."""

from typing import Annotated, Any, Literal

import keras
from keras import layers
from pydantic import Field, PositiveInt


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: Literal[10, 16, 22, 28, 34, 40],
    widen_factor: PositiveInt,
    dropout: Annotated[float, Field(ge=0, lt=1)],
) -> keras.Model:
    """Build WRN-`depth`-`widen_factor`.

    It has three groups of (depth - 4) / 6 pre-activation blocks, with `dropout` in each, and softmax.

    The article's table 1 in numbers, for WRN-28-10, with all four vectors of each batch normalization:

    >>> def group(inputs, width, blocks=4):
    ...     first = 4 * inputs + 9 * inputs * width + 4 * width + 9 * width * width + inputs * width
    ...     return first + (blocks - 1) * (2 * 4 * width + 2 * 9 * width * width)
    >>> 9 * 1 * 16 + group(16, 160) + group(160, 320) + group(320, 640) + 4 * 640 + (640 + 1) * 10
    36496858
    >>> build((28, 28, 1), 10, depth=28, widen_factor=10, dropout=0.3).count_params()
    36496858
    """
    images = keras.Input(input_shape)
    features = _convolved(images, 16, strides=1)
    for group, width in enumerate((16 * widen_factor, 32 * widen_factor, 64 * widen_factor)):
        for block in range((depth - 4) // 6):
            features = _block(features, width, dropout, strides=2 if group > 0 and block == 0 else 1)
    features = layers.GlobalAveragePooling2D()(_activated(features))
    return keras.Model(images, layers.Dense(classes, activation="softmax", dtype="float32")(features))


def _convolved(inputs: Any, width: int, strides: int, kernel: int = 3) -> Any:
    settings = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    return layers.Conv2D(width, kernel, strides=strides, **settings)(inputs)


def _activated(features: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(features))


def _block(features: Any, width: int, dropout: float, strides: int) -> Any:
    """Add to the features, in their new shape, two 3×3 convolutions of the activated ones with dropout between."""
    activated = _activated(features)
    if features.shape[-1] != width:
        features = _convolved(activated, width, strides, kernel=1)
    residual = layers.Dropout(dropout)(_activated(_convolved(activated, width, strides)))
    return layers.Add()([features, _convolved(residual, width, strides=1)])
