"""Floating-point operations: of a network, and of this machine at its best."""

import time
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

PRODUCT_SIDE = 4096
PRODUCT_ROUNDS = 5


def forward_operations(layer: Mapping[str, Any]) -> int:
    """Operations on one image in a layer as `benchmarks.keras_training` describes it; a multiply-add counts as two.

    Layers without weights, normalizations, activations and biases are left out: they are few operations beside these.

    Raises ValueError for a layer with weights whose operations are not known.
    """
    if not layer["weights"]:
        return 0
    weights: int = prod(layer["weights"][0])
    match layer["class"]:
        case "Conv2D":
            _, height, width, _ = layer["output_shape"]
            return 2 * weights * int(height * width)
        case "Dense":
            return 2 * weights
        case "RBF":
            return 3 * weights  # a difference, its square, their sum
        case "BatchNormalization":
            return 0
        case other:
            raise ValueError(f"layer: found {other}, whose operations are not known")


def training_operations(layers: Sequence[Mapping[str, Any]]) -> int:
    """Operations of a training step on one image.

    Each layer's forward pass comes three times: itself, the gradient of its weights, the gradient of its input, which
    the first layer with weights does not need.
    """
    forward = [forward_operations(layer) for layer in layers if layer["weights"]]
    return 3 * sum(forward) - forward[0]


def measured_peak() -> float:
    """Operations a second of the best of several float32 matrix products, on all cores."""
    generator = np.random.default_rng(0)
    left, right = generator.random((2, PRODUCT_SIDE, PRODUCT_SIDE), dtype=np.float32)
    result = np.empty_like(left)
    seconds = []
    for _ in range(PRODUCT_ROUNDS):
        start = time.perf_counter()
        np.matmul(left, right, out=result)
        seconds.append(time.perf_counter() - start)
    return 2 * PRODUCT_SIDE**3 / min(seconds)
