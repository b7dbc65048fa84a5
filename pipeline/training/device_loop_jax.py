"""The loop of `device_loop_tensorflow`, on JAX: many batches a call, from images that stay on the device."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras

from pipeline.dataset.parts import Part
from pipeline.training.batches import Indices

State = tuple[list[jax.Array], ...]


class DeviceLoop(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model around `model` whose `fit` takes blocks of indices into `train`, as `index_blocks` gives them.

    Weights, loss, optimizer and metrics are used as `keras.Model` does; `evaluate` and `predict` take images.
    """

    train_function: Any

    def __init__(self, model: keras.Model, train: Part) -> None:
        super().__init__()
        self.model = model
        self.images = _on_every_device(train.images)
        self.labels = _on_every_device(train.labels)
        self.counter = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, images: Any, training: bool = False) -> Any:
        """Give what the model gives."""
        return self.model(images, training=training)

    def create_variables(self) -> None:
        """Create what `fit` would otherwise create by giving its first block, of indices, to the network."""
        images, labels = self.images[:1], self.labels[:1]
        answers = self(images)
        self.optimizer.build(self.trainable_variables)
        self.compute_loss(images, labels, answers, training=False)
        self.compute_metrics(images, labels, answers)

    @property
    def finite_batches(self) -> int:
        """Batches whose loss was finite, of all epochs; while fitting too, when Keras keeps its state elsewhere."""
        self.jax_state_sync()
        return int(self.counter.value)

    def compute_loss(self, *arguments: Any, training: bool = True, **named: Any) -> Any:
        """Keras' loss; while training, count it if it is finite."""
        loss = super().compute_loss(*arguments, training=training, **named)
        if training:
            self.counter.assign_add(jnp.isfinite(loss).astype("int32"))
        return loss

    def make_train_function(self, force: bool = False) -> None:
        """Keras' compiled step, which gets the images as arguments: what it closes over is compiled as constants."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        compiled = self.train_function
        self.train_function = lambda state, blocks: compiled(
            state, ((self.images, self.labels, block) for (block,) in blocks)
        )

    def train_step(self, state: State, data: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[dict[str, Any], State]:
        """Take Keras' training step for each batch of a block, int32 (batch size, batches)."""
        images, labels, block = data

        def step(state: State, indices: jax.Array) -> tuple[State, dict[str, jax.Array]]:
            logs, state = super(DeviceLoop, self).train_step(state, (images[indices], labels[indices]))
            return state, logs

        if block.shape[1] == 1:
            state, logs = step(state, block[:, 0])
            return logs, state
        state, logs = jax.lax.scan(step, state, block.T)
        return {name: figures[-1] for name, figures in logs.items()}, state


def index_blocks(blocks: Iterator[Indices]) -> Iterator[tuple[Indices]]:
    """Offer the blocks to `DeviceLoop.fit`: a row an image of each batch, since Keras divides rows among devices."""
    return ((block.T,) for block in blocks)


def _on_every_device(array: Any) -> jax.Array:
    distribution = keras.distribution.distribution()
    if distribution is None:
        return jnp.asarray(array)
    everywhere = jax.sharding.NamedSharding(distribution.device_mesh.backend_mesh, jax.sharding.PartitionSpec())
    return jax.device_put(array, everywhere)
