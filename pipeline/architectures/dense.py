"""The fully connected networks of three articles.

A: Anna Shi, "Solving the Fashion MNIST with a simple neural network", 2020. B: "The Fashionable 'Hello World' of Deep
Learning", 2021. C: "Classifying the Fashion-MNIST dataset…".
"""

from typing import Literal

import keras
from keras import layers
from pydantic import PositiveInt


def build(
    input_shape: tuple[int, int, int], classes: int, *, hidden: list[PositiveInt], activation: Literal["relu", "tanh"]
) -> keras.Model:
    """Build a dense layer for each width in `hidden`, then softmax.

    >>> build((28, 28, 1), 10, hidden=[128], activation="relu").count_params() == (784 + 1) * 128 + (128 + 1) * 10
    True
    >>> build((28, 28, 1), 10, hidden=[300, 100], activation="relu").count_params()  # 235,500 + 30,100 + 1,010
    266610
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Flatten(),
            *(layers.Dense(width, activation=activation) for width in hidden),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
