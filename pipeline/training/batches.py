"""The order in which training images are met: the same on every backend."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.params.schema import ModelParams

Indices = npt.NDArray[np.int32]
Block = dict[str, npt.NDArray[Any]]


def batch_size_of(params: ModelParams, images: int) -> int:
    """Images in a batch, of `images` to train on."""
    return images if params.batch_size == "full" else min(params.batch_size, images)


def epoch_order(images: int, seed: int, epoch: int) -> Indices:
    """Shuffle the indices of `images`, int32 (images,).

    The order depends on the arguments alone, so that an epoch can be trained again without those before it.
    """
    return np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)


def epoch_blocks(columns: Mapping[str, npt.NDArray[Any]], batch_size: int, batches_per_block: int) -> Iterator[Block]:
    """Cut `columns`, which say of each image what it is and what happens to it, into blocks (batches, batch size).

    Images that are left over when no whole batch is make a smaller batch, in a block of its own.
    """
    images = len(next(iter(columns.values())))
    whole = images - images % batch_size
    images_per_block = batch_size * batches_per_block
    for start in range(0, whole, images_per_block):
        part = slice(start, min(start + images_per_block, whole))
        yield {name: column[part].reshape(-1, batch_size) for name, column in columns.items()}
    if whole < images:
        yield {name: column[np.newaxis, whole:] for name, column in columns.items()}
