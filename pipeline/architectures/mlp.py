"""Multilayer perceptrons of equal layers: article D's grid over layers and nodes."""

import keras
from keras.layers import Dense, Flatten
from pydantic import PositiveInt


def build(input_shape: tuple[int, int, int], classes: int, *, layers: PositiveInt, nodes: PositiveInt) -> keras.Model:
    """As many dense relu layers as `layers`, of `nodes` units each, then softmax.

    >>> build((28, 28, 1), 10, layers=2, nodes=64).count_params()  # 50,240 + 4,160 + 650
    55050
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            Flatten(),
            *(Dense(nodes, activation="relu") for _ in range(layers)),
            Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
