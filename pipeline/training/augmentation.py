"""Training images that differ from epoch to epoch, and softened labels.

What chance decides is drawn with NumPy beside the order of the images, and goes to the device with it. So it depends on
seed and epoch alone: every backend draws the same, and a training that was killed goes on with what it would have met.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from pipeline.params.recipes import Recipe
from pipeline.training.batches import Block, Indices


@dataclass(frozen=True)
class Augmentation:
    """What `recipe` does to images (height, width, channels) and their labels, of so many classes.

    `flip`, `shift`: as in most trainings on small images; `alternating`: Jordan, 2024, "94% on CIFAR-10 in 3.29
    seconds"; `erase`: cutout, DeVries and Taylor, 2017; `mixup`: Zhang et al., 2018; `label_smoothing`: Szegedy et
    al., 2016.

    Labels of a student that is `taught` come as distributions, smoothed already, with its teacher's beside them.
    """

    recipe: Recipe
    shape: tuple[int, int, int]
    classes: int
    taught: bool = False

    @property
    def changes_images(self) -> bool:
        """Whether an image is not the same in each epoch."""
        return self._moves_images or self.recipe.erase > 0 or self.recipe.mixup > 0

    @property
    def _moves_images(self) -> bool:
        return self.recipe.flip != "none" or self.recipe.shift > 0

    @property
    def softens_labels(self) -> bool:
        """Whether a label that is a number becomes a distribution over the classes."""
        return not self.taught and (self.recipe.mixup > 0 or self.recipe.label_smoothing > 0)

    def draws(self, order: Indices, seed: int, epoch: int) -> Block:
        """What chance decides for each image of an epoch, (n,), which are met in `order`, int32 (n,)."""
        recipe, images = self.recipe, len(order)
        generator = np.random.default_rng([seed, epoch, 1])  # the order is drawn from [seed, epoch]
        drawn: Block = {}
        if recipe.flip == "random":
            drawn["flip"] = generator.integers(0, 2, images, dtype=np.int32)
        elif recipe.flip == "alternating":
            at_first = np.random.default_rng([seed, 0, 2]).integers(0, 2, images, dtype=np.int32)
            drawn["flip"] = (at_first[order] + np.int32(epoch)) % np.int32(2)
        if recipe.shift:
            for direction in ("down", "right"):
                drawn[direction] = generator.integers(-recipe.shift, recipe.shift + 1, images, dtype=np.int32)
        if recipe.erase:
            for corner, side in zip(("top", "left"), self.shape[:2], strict=True):
                drawn[corner] = generator.integers(0, side, images, dtype=np.int32) - np.int32(recipe.erase // 2)
        if recipe.mixup:
            drawn["mixup"] = generator.beta(recipe.mixup, recipe.mixup, images).astype(np.float32)
        return drawn

    def __call__(self, images: Any, labels: Any, drawn: Any) -> tuple[Any, Any]:
        """Change a batch of pixels (n, height, width, channels) and labels (n,) as `drawn` for it, each (n,).

        Images are uint8 where nothing changes them, else float32. Labels that are softened become float32 (n, classes);
        those of a student are float32 (n, 2 * classes).
        """
        if self._moves_images:
            images = self._moved(images, drawn)
        if self.recipe.erase:
            images = self._erased(images, drawn)
        if self.softens_labels:
            labels = self.one_hot(labels)
            labels = (1 - self.recipe.label_smoothing) * labels + self.recipe.label_smoothing / self.classes
        if self.recipe.mixup:
            images = _mixed(ops.cast(images, "float32"), drawn["mixup"][:, None, None, None])
            labels = _mixed(labels, drawn["mixup"][:, None])
        return images, labels

    def one_hot(self, labels: Any) -> Any:
        """Labels (n,) as float32 (n, classes)."""
        return ops.one_hot(ops.cast(labels, "int32"), self.classes, dtype="float32")

    def _moved(self, images: Any, drawn: Any) -> Any:
        """Take rows and columns from where they were; a product with a matrix of ones and zeros is exact, and fast."""
        height, width, _ = self.shape
        images = ops.cast(images, "float32")
        columns = ops.arange(width, dtype="int32")[None]
        if self.recipe.shift:
            rows = ops.arange(height, dtype="int32")[None] - drawn["down"][:, None]
            columns = columns - drawn["right"][:, None]
            images = ops.einsum("nrs,nswc->nrwc", _selection(rows, height), images)
        if self.recipe.flip != "none":
            columns = ops.where(drawn["flip"][:, None] == 1, width - 1 - columns, columns)
        return ops.einsum("ncs,nhsk->nhck", _selection(columns, width), images)

    def _erased(self, images: Any, drawn: Any) -> Any:
        rows, columns = (
            self._inside(drawn[corner], side) for corner, side in zip(("top", "left"), self.shape[:2], strict=True)
        )
        erased = ops.logical_and(rows[:, :, None, None], columns[:, None, :, None])
        return ops.where(erased, 0.0, ops.cast(images, "float32"))

    def _inside(self, start: Any, side: int) -> Any:
        """Where the square lies along a side of the image, (n, side)."""
        position = ops.arange(side, dtype="int32")[None] - start[:, None]
        return ops.logical_and(position >= 0, position < self.recipe.erase)


def _selection(sources: Any, number: int) -> Any:
    """Matrices (n, results, number) that take, of `number` rows, `sources` (n, results), and zeros from outside."""
    return ops.cast(sources[:, :, None] == ops.arange(number, dtype="int32"), "float32")


def _mixed(values: Any, share: Any) -> Any:
    """Each with the one at the other end of the batch, whose order is random already."""
    return share * values + (1 - share) * ops.flip(values, axis=0)
