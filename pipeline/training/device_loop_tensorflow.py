"""Train on many batches a call, from images that stay on the device: the steps of Keras' `fit` with less between them.

Plain `fit` goes through Python, a data pipeline and a copy for every batch, which takes a small network longer than the
arithmetic does. Here a call gets the indices of many batches; the device gathers the images of each and loops.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from pipeline.dataset.parts import Part
from pipeline.training.batches import Indices


class DeviceLoop(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model around `model` whose `fit` takes blocks of indices into `train`, as `index_blocks` gives them.

    Weights, loss, optimizer and metrics are used as `keras.Model` does; `evaluate` and `predict` take images.
    `finite_batches` counts the batches whose loss was finite, of all epochs.
    """

    def __init__(self, model: keras.Model, train: Part, xla: bool) -> None:
        super().__init__()
        self.model = model
        self.images = tf.constant(train.images)
        self.labels = tf.constant(train.labels)
        self.finite_batches = tf.Variable(0, trainable=False)
        # Keras' own `jit_compile` is off wherever operations must be deterministic; what XLA does on a CPU is.
        self.loop = tf.function(self._loop, jit_compile=xla)

    def call(self, images: Any, training: bool = False) -> Any:
        """Give what the model gives."""
        return self.model(images, training=training)

    def create_variables(self) -> None:
        """Create the variables of the optimizer and the metrics, which cannot be done inside a loop on the device."""
        self.optimizer.build(self.trainable_variables)
        self.compute_metrics(self.images[:1], self.labels[:1], self(self.images[:1]))

    def compute_loss(self, *arguments: Any, training: bool = True, **named: Any) -> Any:
        """Keras' loss; while training, count it if it is finite."""
        loss = super().compute_loss(*arguments, training=training, **named)
        if training:
            self.finite_batches.assign_add(tf.cast(tf.math.is_finite(loss), tf.int32))
        return loss

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take Keras' training step for each batch of a block, int32 (batches, batch size)."""
        (block,) = data
        self.loop(block)
        metrics: dict[str, Any] = self.get_metrics_result()
        return metrics

    def _loop(self, block: Any) -> None:
        def step(batch: Any) -> Any:
            indices = block[batch]
            super(DeviceLoop, self).train_step((tf.gather(self.images, indices), tf.gather(self.labels, indices)))
            return batch + 1

        tf.while_loop(lambda batch: batch < tf.shape(block)[0], step, [0], parallel_iterations=1)


def index_blocks(blocks: Callable[[], Iterator[Indices]]) -> tf.data.Dataset:
    """Offer the blocks to `DeviceLoop.fit`."""
    signature = tf.TensorSpec((None, None), tf.int32)
    return tf.data.Dataset.from_generator(blocks, output_signature=signature).map(lambda block: (block,)).prefetch(1)
