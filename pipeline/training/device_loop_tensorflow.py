"""Train on many batches a call, from images that stay on the device: the steps of Keras' `fit` with less between them.

Plain `fit` goes through Python, a data pipeline and a copy for every batch, which takes a small network longer than the
arithmetic does. Here a call gets the indices of many batches; the device gathers the images of each and loops.
"""

from typing import Any

import keras
import tensorflow as tf

from pipeline.dataset.parts import Part
from pipeline.training.augmentation import Augmentation
from pipeline.training.loop import Blocks, Loop
from pipeline.training.predict import BATCH_SIZE
from pipeline.training.shards import Sharded


class DeviceLoop(Loop):
    """A loop whose `fit` takes blocks of indices and of what was drawn for them.

    A batch of as many indices as there are images is all of them, in their order. Each batch is computed in `shards`
    parts. Weights, loss, optimizer and metrics are used as `keras.Model` does. `finite_batches` counts the batches
    whose loss was finite, of all epochs.
    """

    def __init__(
        self,
        model: keras.Model,
        train: Part,
        augmentation: Augmentation,
        shards: int,
        xla: bool,
    ) -> None:
        if shards > 1:
            model = Sharded(model, shards)
        super().__init__(model, Part(tf.constant(train.images), tf.constant(train.labels)), augmentation)
        self.finite_batches = tf.Variable(0, trainable=False)
        # Keras' own `jit_compile` is off wherever operations must be deterministic; what XLA does on a CPU is.
        self.loop = tf.function(self._loop, jit_compile=xla)

    def compute_loss(self, *arguments: Any, training: bool = True, **named: Any) -> Any:
        """Keras' loss; while training, count it if it is finite."""
        loss = super().compute_loss(*arguments, training=training, **named)
        if training:
            self.finite_batches.assign_add(tf.cast(tf.math.is_finite(loss), tf.int32))
        return loss

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take Keras' training step for each batch of a block, whose columns are (batches, batch size)."""
        (block,) = data
        self.loop(block)
        metrics: dict[str, Any] = self.get_metrics_result()
        return metrics

    def _loop(self, block: Any) -> None:
        indices = block["index"]
        columns = {name: column for name, column in block.items() if name != "index"}

        def step(batch: Any) -> Any:
            if indices.shape[1] == len(self.labels):
                pair = self.images, self.labels
            else:
                pair = tf.gather(self.images, indices[batch]), tf.gather(self.labels, indices[batch])
            drawn = {name: column[batch] for name, column in columns.items()}
            super(DeviceLoop, self).train_step(self.augmentation(*pair, drawn))
            return batch + 1

        tf.while_loop(lambda batch: batch < tf.shape(indices)[0], step, [0], parallel_iterations=1)

    def batches(self, blocks: Blocks, batch_size: int | None) -> Any:
        """Offer the blocks to `fit`; `batch_size` is None where the last batch is smaller."""
        signature = {name: tf.TensorSpec((None, batch_size), column.dtype) for name, column in next(blocks()).items()}
        dataset = tf.data.Dataset.from_generator(blocks, output_signature=signature)
        return untuned(dataset.map(lambda block: (block,)).prefetch(1))

    def validation_data(self, images: Any, labels: Any) -> Any:
        """Offer them to `fit`, in batches."""
        return untuned(tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH_SIZE))


def untuned(dataset: Any) -> Any:
    """`dataset` without what tunes it while it is read.

    Its thread sleeps longer from time to time, up to a minute, and who is done with the dataset waits for its end.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
