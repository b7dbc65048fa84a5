"""Predicted probabilities."""

import keras
import numpy as np
import numpy.typing as npt

BATCH_SIZE = 1000


def predict(model: keras.Model, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Probabilities float32 (n, classes) for raw pixels uint8 (n, height, width, channels); each row sums to 1.

    The answers of a softmax layer do so by themselves. Those of RBF units are divided by their sum, as the
    cross-entropy they were trained with does.
    """
    answers: npt.NDArray[np.float32] = model.predict(images, batch_size=BATCH_SIZE, verbose=0)
    probabilities: npt.NDArray[np.float32] = answers / answers.sum(axis=1, keepdims=True)
    return probabilities
