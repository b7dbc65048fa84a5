"""The grid of perceptrons of article D, "Exploring Neural Networks with Fashion MNIST Clothing Dataset"."""

import keras
from keras.layers import Dense, Flatten
from pydantic import PositiveInt


def build(input_shape: tuple[int, int, int], classes: int, *, layers: PositiveInt, units: PositiveInt) -> keras.Model:
    """Build `layers` dense relu layers of `units` units, then softmax.

    >>> build((28, 28, 1), 10, layers=2, units=64).count_params()  # 50,240 + 4,160 + 650
    55050
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            Flatten(),
            *(Dense(units, activation="relu") for _ in range(layers)),
            Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
