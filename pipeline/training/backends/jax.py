"""The training loop on JAX: several batches a call, from images that stay on the device."""

from typing import Any

import jax
import jax.numpy as jnp
import keras

from pipeline.data.dataset import Split
from pipeline.training.augmentation import Augmentation
from pipeline.training.backends.base import Blocks, Trainer
from pipeline.training.runtime import ExecutionPlan

State = tuple[list[jax.Array], ...]


class OnDeviceTrainer(Trainer):
    """A trainer whose `fit` takes blocks of indices and parameters of the augmentation.

    `backends.tensorflow` says why. Weights, loss, optimizer and metrics are used as `keras.Model` does.
    """

    train_function: Any

    def __init__(
        self,
        model: keras.Model,
        train: Split,
        validation: Split,
        augmentation: Augmentation,
        plan: ExecutionPlan,
    ) -> None:
        on_device = Split(_on_every_device(train.images), _on_every_device(train.labels))
        super().__init__(model, on_device, validation, augmentation, plan)
        self.counter = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)

    @property
    def finite_batches(self) -> int:
        """Batches with a finite loss, over all epochs.

        Keras keeps its state elsewhere while fitting, so it is synchronized first.
        """
        self.jax_state_sync()
        return int(self.counter.value)

    def compute_loss(self, *arguments: Any, training: bool = True, **named: Any) -> Any:
        """Compute Keras' loss. While training, count it if it is finite."""
        loss = super().compute_loss(*arguments, training=training, **named)
        if training:
            self.counter.assign_add(jnp.isfinite(loss).astype("int32"))
        return loss

    def make_train_function(self, force: bool = False) -> None:
        """Pass the images to Keras' compiled step as arguments: what it closes over is compiled as constants."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        compiled = self.train_function
        self.train_function = lambda state, blocks: compiled(
            state, ((self.images, self.labels, block) for (block,) in blocks)
        )

    def train_step(
        self, state: State, data: tuple[jax.Array, jax.Array, dict[str, jax.Array]]
    ) -> tuple[dict[str, Any], State]:
        """Take Keras' training step for each batch of a block, whose columns are (batch size, batches)."""
        images, labels, block = data

        def step(state: State, batch: dict[str, jax.Array]) -> tuple[State, dict[str, jax.Array]]:
            params = dict(batch)
            indices = params.pop("index")
            pair = self.augmentation(images[indices], labels[indices], params)
            logs, state = super(OnDeviceTrainer, self).train_step(state, pair)
            return state, logs

        if block["index"].shape[1] == 1:
            state, logs = step(state, {name: column[:, 0] for name, column in block.items()})
            return logs, state
        state, logs = jax.lax.scan(step, state, {name: column.T for name, column in block.items()})
        return {name: values[-1] for name, values in logs.items()}, state

    def batches(self, blocks: Blocks, batch_size: int | None) -> Any:
        """Return the blocks with one row for each image of a batch, since Keras divides rows among devices."""
        return (({name: column.T for name, column in block.items()},) for block in blocks())


def _on_every_device(array: Any) -> jax.Array:
    distribution = keras.distribution.distribution()
    if distribution is None:
        return jnp.asarray(array)
    everywhere = jax.sharding.NamedSharding(distribution.device_mesh.backend_mesh, jax.sharding.PartitionSpec())
    return jax.device_put(array, everywhere)
