"""Decide which images each step trains on. The order is the same on every backend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config_models import ModelConfig
from pipeline.training.augmentation import Augmentation, Block, Indices

EVAL_BATCH_SIZE = 1000  # images in a batch of an evaluation or a prediction


def batch_size_of(config: ModelConfig, images: int) -> int:
    """Return the batch size for a training on so many images."""
    return images if config.batch_size == "full" else min(config.batch_size, images)


def epoch_order(images: int, seed: int, epoch: int) -> Indices:
    """Shuffle the indices of the training images.

    The order depends on the arguments alone, so an epoch can be trained again without those before it.

    Args:
        images: Number of training images.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.

    Returns:
        Indices, int32 (images,).
    """
    return np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)


def epoch_blocks(columns: Mapping[str, npt.NDArray[Any]], batch_size: int, steps_per_block: int) -> Iterator[Block]:
    """Cut the columns of an epoch into blocks of several batches.

    Args:
        columns: Arrays (images,): the index of each image and the parameters of its augmentation.
        batch_size: Images in a batch.
        steps_per_block: Batches in a block.

    Yields:
        Columns of shape (batches, batch size). A smaller last batch gets a block of its own.
    """
    images = len(next(iter(columns.values())))
    whole = images - images % batch_size
    images_per_block = batch_size * steps_per_block
    for start in range(0, whole, images_per_block):
        rows = slice(start, min(start + images_per_block, whole))
        yield {name: column[rows].reshape(-1, batch_size) for name, column in columns.items()}
    if whole < images:
        yield {name: column[np.newaxis, whole:] for name, column in columns.items()}


@dataclass(frozen=True)
class BatchSampler:
    """The blocks of a training: shuffled indices and the parameters of the augmentation, for every epoch."""

    augmentation: Augmentation
    seed: int
    images: int
    batch_size: int
    epochs: int

    @property
    def fixed_batch_size(self) -> int | None:
        """Images in each batch, or None when the last batch is smaller."""
        return None if self.images % self.batch_size else self.batch_size

    def epoch_blocks(self, epoch: int, steps_per_block: int) -> Iterator[Block]:
        """Yield the blocks of one epoch, counted from 0."""
        order = epoch_order(self.images, self.seed, epoch)
        columns = {"index": order, **self.augmentation.sample_params(order, self.seed, epoch)}
        return epoch_blocks(columns, self.batch_size, steps_per_block)

    def blocks(self, done: int, steps_per_block: int) -> Iterator[Block]:
        """Yield the blocks of all epochs after the first `done`."""
        first = min(done, self.epochs - 1)  # Keras looks at a batch even where no epoch is left
        return chain.from_iterable(self.epoch_blocks(epoch, steps_per_block) for epoch in range(first, self.epochs))

    def blocks_per_epoch(self, steps_per_block: int) -> int:
        """Return the number of blocks in an epoch."""
        whole, left_over = divmod(self.images, self.batch_size)
        return -(-whole // steps_per_block) + (left_over > 0)
