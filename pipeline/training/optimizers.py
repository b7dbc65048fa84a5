"""The optimizer that ``params.yaml`` names."""

from typing import Any

import keras

from pipeline.params.recipes import Recipe
from pipeline.params.schema import OptimizerParams
from pipeline.training.muon import KernelMuon
from pipeline.training.schedules import scheduled


def make_optimizer(params: OptimizerParams, recipe: Recipe, steps: int, fused: bool) -> keras.optimizers.Optimizer:
    """Keras' optimizer for a training of so many `steps`.

    With `fused`, which needs TensorFlow, an Adam that updates a weight in one operation.
    """
    settings = params.model_dump(exclude={"name"})
    settings["learning_rate"] = scheduled(params.learning_rate, recipe, steps)
    if recipe.averaging is not None:
        settings |= {"use_ema": True, "ema_momentum": recipe.averaging}
    if params.name == "muon":
        adam_learning_rate = settings.pop("adam_learning_rate")
        return KernelMuon(adam_lr_ratio=adam_learning_rate / params.learning_rate, adam_weight_decay=0.0, **settings)
    if params.name == "sgdw":
        return keras.optimizers.SGD(nesterov=True, **settings)
    if fused and params.name == "adam":
        return _fused_adam()(**settings)
    return keras.optimizers.get({"class_name": params.name, "config": settings})


def _fused_adam() -> Any:
    import tensorflow as tf

    class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
        """Keras' Adam, the same formula, by the kernel that TensorFlow has for it.

        Keras writes it as a dozen operations that each pass over the weight; in a large layer the memory is what a
        step waits for.
        """

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Kingma and Ba, 2014, algorithm 1, in the efficient order of section 2."""
            index = self._get_variable_index(variable)
            step = tf.cast(self.iterations.value + 1, variable.dtype)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                beta1_power=tf.pow(self.beta_1, step),
                beta2_power=tf.pow(self.beta_2, step),
                lr=tf.cast(learning_rate, variable.dtype),
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )

    return FusedAdam
