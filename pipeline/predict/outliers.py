"""Detect images that are out of distribution, for which a model's prediction says nothing.

Principal components of some test images reproduce other test images well, and anything else badly. The error of this
reconstruction, relative to the image's own contrast, is compared with that of test images. docs/predict.md says how
often an alarm is false and what is noticed, by this and by two other measures.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

COMPONENTS = 20
SAMPLE = 4000  # test images: half give the components, the others the threshold
BYTES = 2**25  # of pixels; of large images, fewer than `SAMPLE` are taken, which bounds memory and time
MIN_IMAGES = 200  # test images; with fewer there is no telling what is usual
QUANTILE = 0.99  # of the errors of test images; above it an image is out of distribution
MAX_SIDE = 32  # pixels of a side; larger images are averaged over squares
ITERATIONS = 4  # of the subspace iteration, which takes a tenth of the time of a decomposition
FLAT = 1e-3  # of all contrast; an image with less shows nothing


@dataclass(frozen=True)
class OutlierDetector:
    """Principal components of test images, and the largest usual error of a reconstruction.

    Attributes:
        mean: Mean image, float32 (values,).
        components: Principal components, float32 (components, values), orthonormal.
        threshold: Error above which an image is out of distribution.
    """

    mean: Floats
    components: Floats
    threshold: float

    @classmethod
    def of(cls, images: Images) -> Self | None:
        """Return the detector for test images, or None if they are too few, or too small to need components.

        They are chosen at random, since their order may be that of the classes.
        """
        if len(images) < MIN_IMAGES:
            return None
        generator = np.random.default_rng(0)
        number = min(SAMPLE, max(MIN_IMAGES, BYTES // images[0].size))
        values = _flatten(images[generator.permutation(len(images))[:number]])
        if values.shape[1] <= 2 * COMPONENTS:
            return None
        known, others = values[::2], values[1::2]
        mean = known.mean(axis=0)
        centred = known - mean
        basis = generator.standard_normal((values.shape[1], COMPONENTS), np.float32)
        for _ in range(ITERATIONS):
            basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
        components = basis.T
        usual = _errors(others, mean, components)
        return cls(mean, components, float(np.quantile(usual, QUANTILE)))

    def errors(self, images: Images) -> Floats:
        """Return the error of the reconstruction of each image, uint8 (n, height, width, channels): float32 (n,)."""
        return _errors(_flatten(images), self.mean, self.components)

    def is_outlier(self, image: Images) -> bool:
        """Return whether an image, uint8 (height, width, channels), is out of distribution."""
        return bool(self.errors(image[np.newaxis])[0] > self.threshold)


def _errors(values: Floats, mean: Floats, components: Floats) -> Floats:
    """Return the length of what the components leave of each image, relative to the image's contrast: (n,)."""
    centred = values - mean
    left = np.linalg.norm(centred - centred @ components.T @ components, axis=1)
    contrast = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
    return np.asarray(left / np.maximum(contrast, FLAT * np.sqrt(values.shape[1])), np.float32)


def _flatten(images: Images) -> Floats:
    """Return the values of each image from 0 to 1, float32 (n, values), averaged over squares if it is large."""
    number, height, width, channels = images.shape
    side = max(1, -(-max(height, width) // MAX_SIDE))
    rows, columns = max(1, height // side), max(1, width // side)
    squares = images[:, : rows * side, : columns * side].reshape(number, rows, -1, columns, side, channels)
    averaged = squares.mean(axis=(2, 4), dtype=np.float32) if side > 1 else images.astype(np.float32)
    return averaged.reshape(number, -1) / np.float32(255)
