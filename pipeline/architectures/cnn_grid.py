"""The grid of convolutional networks of article D, "Exploring Neural Networks with Fashion MNIST Clothing Dataset"."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    blocks: PositiveInt,
    dense_layers: PositiveInt,
    filters: PositiveInt,
    units: PositiveInt,
) -> keras.Model:
    """Build blocks of a 3×3 convolution and a pooling, then dense relu layers and softmax.

    The article varies `filters` of the convolutions and `units` of the dense layers together. The softmax layer is not
    counted in `dense_layers`.

    On 28×28 pixels the feature maps are 26 and 13, after a second block 11 and 5 wide:

    >>> one = build((28, 28, 1), 10, blocks=1, dense_layers=2, filters=32, units=32)
    >>> one.count_params()  # 320 + (13 * 13 * 32 + 1) * 32 + 1,056 + 330
    174794
    >>> two = build((28, 28, 1), 10, blocks=2, dense_layers=3, filters=64, units=64)
    >>> two.count_params()  # 640 + 36,928 + (5 * 5 * 64 + 1) * 64 + 2 * 4,160 + 650
    149002
    """
    network = keras.Sequential([keras.Input(input_shape)])
    for _ in range(blocks):
        network.add(layers.Conv2D(filters, 3, activation="relu"))
        network.add(layers.MaxPooling2D(2))
    network.add(layers.Flatten())
    for _ in range(dense_layers):
        network.add(layers.Dense(units, activation="relu"))
    network.add(layers.Dense(classes, activation="softmax", dtype="float32"))
    return network
