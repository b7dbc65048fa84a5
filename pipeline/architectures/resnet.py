"""A compact residual network for two CPU cores."""

from typing import Any

import keras
from keras import layers
from pydantic import PositiveInt


def build(input_shape: tuple[int, int, int], classes: int, *, width: PositiveInt, blocks: PositiveInt) -> keras.Model:
    """A 5×5 convolution with stride 2, three stages of pre-activation blocks, global average, softmax.

    He et al., 2016, "Identity mappings in deep residual networks"; from stage to stage the width doubles and the sides
    halve, the shortcut by an average and a 1×1 convolution (He et al., 2019, "Bag of tricks", ResNet-D). What full
    resolution costs a CPU, in memory more than in arithmetic, is left out: on 28×28 pixels the stages are 14, 7 and 4
    wide.

    >>> first = 5 * 5 * 16 + 2 * (9 * 16 * 16 + 4 * 16)
    >>> second = 4 * 16 + 16 * 32 + 9 * 16 * 32 + 4 * 32 + 9 * 32 * 32
    >>> third = 4 * 32 + 32 * 64 + 9 * 32 * 64 + 4 * 64 + 9 * 64 * 64
    >>> first + second + third + 4 * 64 + (64 + 1) * 10
    78298
    >>> build((28, 28, 1), 10, width=16, blocks=1).count_params()
    78298
    """
    images = keras.Input(input_shape)
    features = layers.Conv2D(width, 5, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal")(
        images
    )
    for stage in range(3):
        features = _block(features, width * 2**stage, strides=1 if stage == 0 else 2)
        for _ in range(blocks - 1):
            features = _block(features, width * 2**stage, strides=1)
    features = layers.GlobalAveragePooling2D()(_activated(features))
    return keras.Model(images, layers.Dense(classes, activation="softmax", dtype="float32")(features))


def _activated(features: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(features))  # few steps: the mean of the last ten


def _block(features: Any, width: int, strides: int) -> Any:
    """Two 3×3 convolutions of activated features, added to the features, or to less and wider ones with `strides`."""

    def convolved(inputs: Any, strides: int) -> Any:
        settings = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
        return layers.Conv2D(width, 3, strides=strides, **settings)(inputs)

    activated = _activated(features)
    if strides > 1:
        averaged = layers.AveragePooling2D(strides, padding="same")(activated)
        features = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal")(averaged)
    return layers.Add()([features, convolved(_activated(convolved(activated, strides)), strides=1)])
