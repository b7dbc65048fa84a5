"""The training loop of any backend: one batch a step, as Keras does."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from pipeline.data.dataset import Split
from pipeline.training.augmentation import Augmentation, Block
from pipeline.training.runtime import ExecutionPlan

Blocks = Callable[[], Iterator[Block]]


class Trainer(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model that trains another on an augmented split, once for each seed.

    `fit` takes what `batches` and `validation_data` return. `evaluate` and `predict` take images.
    """

    def __init__(
        self,
        model: keras.Model,
        train: Split,
        validation: Split,
        augmentation: Augmentation,
        plan: ExecutionPlan,
    ) -> None:
        super().__init__()
        self.model = model
        self.augmentation = augmentation
        self.images = train.images
        self.labels = train.labels
        self.validation = validation
        self.plan = plan
        self.fresh_optimizer: list[npt.NDArray[Any]] = []

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the model's outputs."""
        return self.model(images, training=training)

    def create_variables(self) -> None:
        """Create all variables. `fit` would create them by passing its first data, of indices, to the network."""
        images, labels = self.images[:1], self.labels[:1]
        if self.augmentation.has_soft_targets:
            labels = self.augmentation.one_hot(labels)
        outputs = self(images)
        self.optimizer.build(self.trainable_variables)
        self.fresh_optimizer = [ops.convert_to_numpy(variable) for variable in self.optimizer.variables]
        self.compute_loss(images, labels, outputs, training=False)
        self.compute_metrics(images, labels, outputs)

    def restart(self, model: keras.Model) -> None:
        """Start another training from the weights of `model`, with what was compiled for the one before."""
        weights = [ops.convert_to_numpy(variable) for variable in model.variables]
        variables = [*self.model.variables, *self.optimizer.variables]
        for variable, value in zip(variables, [*weights, *self.fresh_optimizer], strict=True):
            variable.assign(value)

    def batches(self, blocks: Blocks, batch_size: int | None) -> Any:
        """Return the training data for `fit`.

        Args:
            blocks: Returns an iterator over blocks, here of one batch each.
            batch_size: Images in each batch, or None when the last is smaller.
        """
        for block in blocks():
            params = {name: column[0] for name, column in block.items()}
            indices = params.pop("index")
            yield self.augmentation(self.images[indices], self.labels[indices], params)

    def validation_data(self) -> Any:
        """Return the validation data for `fit`."""
        return self.validation.images, self.validation.labels
