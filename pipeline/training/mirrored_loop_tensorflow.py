"""The loop of `device_loop_tensorflow`, on several devices: each takes its part of every batch.

Each device keeps all images, and gets every block whole, since mixup needs images from all of a batch.
"""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from pipeline.dataset.parts import Part
from pipeline.training.augmentation import Augmentation
from pipeline.training.device_loop_tensorflow import untuned
from pipeline.training.loop import Blocks, Loop


class MirroredLoop(Loop):
    """A loop for `MirroredStrategy`, in whose scope it and its models are built.

    Keras adds up the gradients of all devices, each of the mean loss divided by their number, so that a step is that of
    the whole batch; batches must be divisible by that number. Batch normalization is told to use the statistics of the
    whole batch.
    """

    train_function: Any

    def __init__(self, model: keras.Model, train: Part, augmentation: Augmentation) -> None:
        super().__init__(model, train, augmentation)
        self.counter = tf.Variable(0, trainable=False)
        self.on_devices = [self._on_every_device(array) for array in (train.images, train.labels)]
        for layer in _layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

    @property
    def finite_batches(self) -> int:
        """Batches whose loss was finite on each device, of all epochs."""
        return min(int(of_one.numpy()) for of_one in self.distribute_strategy.experimental_local_results(self.counter))

    def compute_loss(self, *arguments: Any, training: bool = True, **named: Any) -> Any:
        """Keras' loss; while training, count it, on this device, if it is finite."""
        loss = super().compute_loss(*arguments, training=training, **named)
        if training:
            self.counter.assign_add(tf.cast(tf.math.is_finite(loss), tf.int32))
        return loss

    def make_train_function(self, force: bool = False) -> None:
        """Many batches a call: TensorFlow allows a loop around what devices do together, and none inside."""
        if self.train_function is None or force:
            self.train_function = tf.function(self._train_block)

    def _train_block(self, blocks: Any) -> dict[str, Any]:
        """Take Keras' training step for each batch of the next block, whose columns are (batches, batch size)."""
        (block,) = next(blocks)
        batches = tf.shape(self.distribute_strategy.experimental_local_results(block["index"])[0])[0]

        def step(batch: Any) -> Any:
            self.distribute_strategy.run(self._step, (*self.on_devices, block, batch))
            return batch + 1

        tf.while_loop(lambda batch: batch < batches, step, [0], parallel_iterations=1)
        metrics: dict[str, Any] = self.get_metrics_result()
        return metrics

    def _step(self, images: Any, labels: Any, block: dict[str, Any], batch: Any) -> None:
        """Train on this device's part of a batch."""
        drawn = {name: column[batch] for name, column in block.items()}
        indices = drawn.pop("index")
        pair = self.augmentation(tf.gather(images, indices), tf.gather(labels, indices), drawn)
        context = tf.distribute.get_replica_context()
        size = tf.shape(indices)[0] // context.num_replicas_in_sync
        start = context.replica_id_in_sync_group * size
        self._other_masks(context.replica_id_in_sync_group)
        self.train_step(tuple(array[start : start + size] for array in pair))
        self._other_masks(-context.replica_id_in_sync_group)

    def _other_masks(self, number: int) -> None:
        """Move the seeds of dropout on this device, and back, so that each device draws masks of its own."""
        for variable in self.variables:
            if variable.name == "seed_generator_state":
                variable.assign(variable + tf.cast([number, 0], variable.dtype))

    def batches(self, blocks: Blocks, batch_size: int | None) -> Any:
        """Offer the blocks to `fit`, each to every device; `batch_size` is None where the last batch is smaller."""
        signature = {name: tf.TensorSpec((None, batch_size), column.dtype) for name, column in next(blocks()).items()}
        dataset = tf.data.Dataset.from_generator(blocks, output_signature=signature)
        replicas = self.distribute_strategy.num_replicas_in_sync
        repeated = untuned(dataset.flat_map(lambda block: tf.data.Dataset.from_tensors((block,)).repeat(replicas)))
        return self.distribute_strategy.distribute_datasets_from_function(lambda _: repeated)

    def _on_every_device(self, array: Any) -> Any:
        devices = self.distribute_strategy.extended.worker_devices

        def on_one(context: tf.distribute.experimental.ValueContext) -> Any:
            with tf.device(devices[context.replica_id_in_sync_group]):
                return tf.identity(array)

        return self.distribute_strategy.experimental_distribute_values_from_function(on_one)


def _layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    yield layer
    for inner in getattr(layer, "layers", []):
        yield from _layers(inner)
