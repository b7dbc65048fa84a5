"""Train on many batches a call, from images that stay on the device: the steps of Keras' `fit` with less between them.

Plain `fit` goes through Python, a data pipeline and a copy for every batch, which takes a small network longer than the
arithmetic does. Here a call gets the indices of many batches; the device gathers the images of each and loops.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from pipeline.training.batches import Indices


class DeviceLoop(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model around `model` whose `fit` takes blocks of indices into `images`, as `index_blocks` gives them.

    A batch of as many indices as there are images is all of them, in their order.

    Weights, loss, optimizer and metrics are used as `keras.Model` does; `evaluate` and `predict` take images.
    `finite_batches` counts the batches whose loss was finite, of all epochs.
    """

    def __init__(self, model: keras.Model, images: Any, labels: Any, xla: bool) -> None:
        super().__init__()
        self.model = model
        self.images = tf.constant(images)
        self.labels = tf.constant(labels)
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
            if block.shape[1] == len(self.labels):
                pair = self.images, self.labels
            else:
                pair = tf.gather(self.images, block[batch]), tf.gather(self.labels, block[batch])
            super(DeviceLoop, self).train_step(pair)
            return batch + 1

        tf.while_loop(lambda batch: batch < tf.shape(block)[0], step, [0], parallel_iterations=1)


def index_blocks(blocks: Callable[[], Iterator[Indices]], batch_size: int | None) -> tf.data.Dataset:
    """Offer the blocks to `DeviceLoop.fit`; `batch_size` is None where the last batch is smaller."""
    signature = tf.TensorSpec((None, batch_size), tf.int32)
    return tf.data.Dataset.from_generator(blocks, output_signature=signature).map(lambda block: (block,)).prefetch(1)
