"""The network of one hidden layer of article D, "Exploring Neural Networks with Fashion MNIST Clothing Dataset".

The article derives it by hand and trains it by gradient descent.
"""

import keras
from keras import layers
from pydantic import PositiveFloat, PositiveInt


def build(
    input_shape: tuple[int, int, int], classes: int, *, hidden: PositiveInt, initial_stddev: PositiveFloat
) -> keras.Model:
    """Build a layer of `hidden` tanh units, then softmax.

    Weights start normal with `initial_stddev`, biases at zero.

    >>> build((28, 28, 1), 10, hidden=40, initial_stddev=1.0).count_params()  # (784 + 1) * 40 + (40 + 1) * 10
    31810
    """

    def normal() -> keras.Initializer:
        return keras.initializers.RandomNormal(stddev=initial_stddev)

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            layers.Dense(hidden, activation="tanh", kernel_initializer=normal()),
            layers.Dense(classes, activation="softmax", dtype="float32", kernel_initializer=normal()),
        ]
    )
