"""The first convolutional network of article C, "Classifying the Fashion-MNIST dataset…"."""

import keras
from keras import layers


def build(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Build three 3×3 convolutions without padding, two poolings, dropout and softmax.

    On 28×28 pixels the feature maps are 26, 13, 11, 9 and 4 wide:

    >>> build((28, 28, 1), 10).count_params()  # 320 + 18,496 + 36,928 + (4 * 4 * 64 + 1) * 10
    65994
    """
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )
