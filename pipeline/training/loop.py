"""What is fitted: a model, and how batches get to it."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from pipeline.dataset.parts import Part
from pipeline.training.augmentation import Augmentation
from pipeline.training.batches import Block

Blocks = Callable[[], Iterator[Block]]


class Loop(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A model that trains `model` on augmented `train`.

    `fit` takes what `batches` gives; here a batch a step, as Keras does. `evaluate` and `predict` take images.
    """

    def __init__(self, model: keras.Model, train: Part, augmentation: Augmentation) -> None:
        super().__init__()
        self.model = model
        self.augmentation = augmentation
        self.images = train.images
        self.labels = train.labels

    def call(self, images: Any, training: bool = False) -> Any:
        """Give what the model gives."""
        return self.model(images, training=training)

    def create_variables(self) -> None:
        """Create what `fit` would otherwise create by giving its first data, of indices, to the network."""
        images, labels = self.images[:1], self.labels[:1]
        if self.augmentation.softens_labels:
            labels = self.augmentation.one_hot(labels)
        answers = self(images)
        self.optimizer.build(self.trainable_variables)
        self.compute_loss(images, labels, answers, training=False)
        self.compute_metrics(images, labels, answers)

    def batches(self, blocks: Blocks, batch_size: int | None) -> Any:
        """The data of `blocks`, of one batch each, for `fit`; `batch_size` is None where the last batch is smaller."""
        for block in blocks():
            batch = {name: column[0] for name, column in block.items()}
            indices = batch.pop("index")
            yield self.augmentation(self.images[indices], self.labels[indices], batch)

    def validation_data(self, images: Any, labels: Any) -> Any:
        """What `fit` takes to evaluate on `images`."""
        return images, labels
