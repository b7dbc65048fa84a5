"""The network of one hidden layer that article D derives by hand and trains by gradient descent."""

import keras
from keras import layers
from pydantic import PositiveInt


def build(input_shape: tuple[int, int, int], classes: int, *, hidden: PositiveInt) -> keras.Model:
    """One layer of `hidden` tanh units, then softmax.

    >>> build((28, 28, 1), 10, hidden=40).count_params()  # (784 + 1) * 40 + (40 + 1) * 10
    31810
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            layers.Dense(hidden, activation="tanh"),
            layers.Dense(classes, activation="softmax"),
        ]
    )
