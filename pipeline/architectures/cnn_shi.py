"""The convolutional network of article E, Anna Shi, "CNNs for the Fashion MNIST"."""

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build two padded 3×3 convolutions with pooling, a dense layer and softmax.

    >>> build((28, 28, 1), 10).count_params()  # 320 + 18,496 + (7 * 7 * 64 + 1) * 128 + 1,290
    421642
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
