"""Muon, an optimizer that takes steps of equal length in every direction of a layer."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import ops


class KernelMuon(keras.optimizers.Muon):  # type: ignore[misc]  # Keras has no types
    """Keras' Muon for the kernels of convolutions too, each as the matrix of its filters; not for the last layer's.

    Keras knows matrices alone. Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks": kernels
    are flattened; Adam trains vectors and the layer that answers.
    """

    def build(self, variables: Sequence[Any]) -> None:
        """Note which kernel is the last."""
        self.last_kernel = [variable for variable in variables if len(variable.shape) > 1][-1]
        super().build(variables)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or variable is self.last_kernel

    def _muon_update_step(self, gradient: Any, variable: Any, learning_rate: Any, momentum: Any) -> None:
        self.assign_add(momentum, gradient + momentum * (self.momentum - 1))
        ahead = gradient + self.momentum * momentum  # Nesterov's
        matrix = ops.reshape(ahead, (prod(variable.shape[:-1]), variable.shape[-1]))
        step = self.lr_adjust(learning_rate * self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, ops.reshape(step, variable.shape))
