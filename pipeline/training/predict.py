"""Predicted probabilities."""

import keras
import numpy as np
import numpy.typing as npt

BATCH_SIZE = 1000


def predict(model: keras.Model, images: npt.NDArray[np.uint8], shards: int = 1) -> npt.NDArray[np.float32]:
    """Probabilities float32 (n, classes) for raw pixels uint8 (n, height, width, channels); each row sums to 1.

    The answers of a softmax layer do so by themselves. Those of RBF units are divided by their sum, as the
    cross-entropy they were trained with does; where none of them answers, any class is as likely.

    `shards` parts of each batch are computed side by side (TensorFlow alone).
    """
    if shards > 1:
        from pipeline.training.shards import Sharded

        model = Sharded(model, shards)
    starts = range(0, len(images), BATCH_SIZE)
    answers = np.concatenate([model.predict_on_batch(images[start : start + BATCH_SIZE]) for start in starts])
    total = answers.sum(axis=1, keepdims=True)
    uniform = np.full_like(answers, 1 / answers.shape[1])
    probabilities: npt.NDArray[np.float32] = np.divide(answers, total, out=uniform, where=total > 0)
    return probabilities
