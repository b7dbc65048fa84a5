"""A model that computes parts of a batch side by side."""

from typing import Any

import keras
import tensorflow as tf


class Sharded(keras.Model):  # type: ignore[misc]  # Keras has no types
    """What `model` computes, from `shards` parts of the batch that do not wait for each other.

    TensorFlow runs operations that do not depend on each other on threads of their own. The loss, the gradients (sums
    over all parts) and the steps are those of the whole batch; only dropout draws another mask for each part.
    """

    def __init__(self, model: keras.Model, shards: int) -> None:
        super().__init__()
        self.model = model
        self.shards = shards
        self.build((None, *model.input_shape[1:]))

    def call(self, images: Any, training: bool = False) -> Any:
        """Probabilities (n, classes) of images (n, height, width, channels)."""
        number = tf.shape(images)[0]
        rows = -(-number // self.shards) * self.shards  # some operations take no empty part: images are repeated
        parts = tf.split(tf.gather(images, tf.range(rows) % number), self.shards)
        return tf.concat([self.model(part, training=training) for part in parts], axis=0)[:number]
