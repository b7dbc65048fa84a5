"""Evaluation of the moving mean of the weights, which Keras' optimizers keep with ``use_ema``."""

from typing import Any

import keras
import numpy.typing as npt


class EvaluateAverages(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Put the averages in the weights' place for each evaluation.

    Keras' SwapEMAWeights swaps them by adding and subtracting, which rounds the weights that go on being trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[npt.NDArray[Any]] = []

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the weights that are trained aside."""
        weights = self.model.trainable_variables
        self.trained = [keras.ops.convert_to_numpy(weight) for weight in weights]
        self.model.optimizer.finalize_variable_values(weights)
        for weight in weights:  # in memory of their own: JAX gives away what it evaluates
            weight.assign(keras.ops.convert_to_numpy(weight).copy())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put them back."""
        for weight, trained in zip(self.model.trainable_variables, self.trained, strict=True):
            weight.assign(trained)
