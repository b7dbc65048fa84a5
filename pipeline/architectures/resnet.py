"""A compact residual network that learns in few epochs."""

from typing import Any

import keras
from keras import layers
from pydantic import PositiveInt


def build(
    input_shape: tuple[int, int, int], classes: int, *, stem: PositiveInt, width: PositiveInt, blocks: PositiveInt
) -> keras.Model:
    """A convolution of 4×4 pixels in steps of 2, one pooled, residual blocks, global maximum, softmax.

    After Page, 2018, "How to train your ResNet", pooled before the normalization as in Jordan, 2024, "94% on CIFAR-10
    in 3.29 seconds"; narrow, and halved by the first of `stem` features, since on a CPU large feature maps cost most.
    Those of 28×28 pixels are 14 and, with `width` features, 7 wide.

    >>> block = 2 * (9 * 64 * 64 + 4 * 64)  # with the four vectors of each batch normalization
    >>> 16 * 16 + 4 * 16 + 9 * 16 * 64 + 4 * 64 + block + (64 + 1) * 10
    84682
    >>> build((28, 28, 1), 10, stem=16, width=64, blocks=1).count_params()
    84682
    """
    images = keras.Input(input_shape)
    features = _activated(_convolved(images, stem, 4, strides=2))
    features = _activated(layers.MaxPooling2D(2)(_convolved(features, width, 3)))
    for _ in range(blocks):
        residual = features
        for _ in range(2):
            residual = _activated(_convolved(residual, width, 3))
        features = layers.Add()([features, residual])
    features = layers.GlobalMaxPooling2D()(features)
    return keras.Model(images, layers.Dense(classes, activation="softmax", dtype="float32")(features))


def _convolved(features: Any, filters: int, size: int, strides: int = 1) -> Any:
    return layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(features)


def _activated(features: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(features))  # a mean of ten steps: there are few
