"""Batch normalization in one operation, and in bfloat16 where the rest of the network is.

Keras writes it as several operations that each pass over the features, and in float32, to which it converts them and
back; in a small convolutional network that takes as long as the convolutions do.
"""

from typing import Any

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """Keras' layer, the same formula, by the kernel that TensorFlow has for images (n, height, width, channels).

    Ioffe and Szegedy, 2015, "Batch Normalization".
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize by the statistics of the batch while training, else by the moving ones."""
        by_batch = bool(training) and self.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[] if by_batch else self.moving_mean,
            variance=[] if by_batch else self.moving_variance,
            epsilon=self.epsilon,
            is_training=by_batch,
        )
        if by_batch:
            number = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
            variance *= (number - 1) / number  # the kernel divides by one less than Keras does
            for moving, statistic in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + statistic * (1 - self.momentum))
        return outputs


def with_fused_normalization(model: keras.Model) -> keras.Model:
    """A model of the same weights, in the same order, whose batch normalization is fused where the kernel knows it."""

    def cloned(layer: keras.layers.Layer) -> keras.layers.Layer:
        fused = type(layer) is keras.layers.BatchNormalization and _is_known(layer)
        return (FusedBatchNormalization if fused else type(layer)).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=cloned, recursive=True)
    clone.set_weights(model.get_weights())
    return clone


def _is_known(layer: keras.layers.BatchNormalization) -> bool:
    dimensions = layer.input_spec.ndim
    of_channels = dimensions == 4 and layer.axis in (-1, dimensions - 1)
    return of_channels and layer.scale and layer.center and not layer.renorm
