"""The training loop of any backend: one batch a step, as Keras does."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from pipeline.data.dataset import Split
from pipeline.training.augmentation import Augmentation, Block

Blocks = Callable[[], Iterator[Block]]


class Trainer(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model that trains another on an augmented split.

    `fit` takes what `batches` returns. `evaluate` and `predict` take images.
    """

    def __init__(self, model: keras.Model, train: Split, augmentation: Augmentation) -> None:
        super().__init__()
        self.model = model
        self.augmentation = augmentation
        self.images = train.images
        self.labels = train.labels

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
        self.compute_loss(images, labels, outputs, training=False)
        self.compute_metrics(images, labels, outputs)

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

    def validation_data(self, images: Any, labels: Any) -> Any:
        """Return the validation data for `fit`."""
        return images, labels
