"""The order in which training images are met: the same on every backend."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipeline.params.schema import ModelParams

Indices = npt.NDArray[np.int32]


def batch_size_of(params: ModelParams, images: int) -> int:
    """Images in a batch, of `images` to train on."""
    return images if params.batch_size == "full" else min(params.batch_size, images)


def epoch_blocks(images: int, batch_size: int, seed: int, epoch: int, batches_per_block: int) -> Iterator[Indices]:
    """Shuffle the indices of `images` into batches, and give them in blocks, int32 (batches, batch size).

    Images that are left over when no whole batch is make a smaller batch, in a block of its own. The order depends on
    the arguments alone, so that an epoch can be trained again without those before it.
    """
    order = np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)
    left_over = images % batch_size
    batches = order[: images - left_over].reshape(-1, batch_size)
    for start in range(0, len(batches), batches_per_block):
        yield batches[start : start + batches_per_block]
    if left_over:
        yield order[np.newaxis, -left_over:]
