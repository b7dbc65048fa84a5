"""All that is met in a training: which images in which epoch, and what is drawn for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from pipeline.training.augmentation import Augmentation
from pipeline.training.batches import Block, epoch_blocks, epoch_order


@dataclass(frozen=True)
class Order:
    """The blocks of a training of `epochs` on so many `images`: the same on any backend."""

    augmentation: Augmentation
    seed: int
    images: int
    batch_size: int
    epochs: int

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.images // self.batch_size)

    @property
    def whole_batch_size(self) -> int | None:
        """Images in each batch; None where the last is smaller."""
        return None if self.images % self.batch_size else self.batch_size

    def epoch(self, number: int, batches_per_block: int) -> Iterator[Block]:
        """The blocks of one epoch, from 0."""
        order = epoch_order(self.images, self.seed, number)
        columns = {"index": order, **self.augmentation.draws(order, self.seed, number)}
        return epoch_blocks(columns, self.batch_size, batches_per_block)

    def blocks(self, done: int, batches_per_block: int) -> Iterator[Block]:
        """The blocks of all epochs after `done`."""
        first = min(done, self.epochs - 1)  # Keras looks at a batch even where no epoch is left
        return chain.from_iterable(self.epoch(number, batches_per_block) for number in range(first, self.epochs))

    def blocks_per_epoch(self, batches_per_block: int) -> int:
        """Blocks in an epoch."""
        whole, left_over = divmod(self.images, self.batch_size)
        return -(-whole // batches_per_block) + (left_over > 0)
