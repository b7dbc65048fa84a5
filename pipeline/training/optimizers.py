"""Make the optimizer and the learning rate schedule of a model."""

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import ops

from pipeline.config_models import OptimizerConfig, Recipe


class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras has no types
    """Linear warm-up from 0 to `peak` in `warmup_steps`, then linear decay to 0 at `steps`."""

    def __init__(self, peak: float, warmup_steps: int, steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, counted from 0."""
        down = (self.steps - ops.cast(step, "float32")) / (self.steps - self.warmup_steps)
        if not self.warmup_steps:
            return self.peak * down
        return self.peak * ops.minimum(ops.cast(step, "float32") / self.warmup_steps, down)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "steps": self.steps}


def make_lr_schedule(learning_rate: float, recipe: Recipe, steps: int) -> Any:
    """Make the learning rate that a Keras optimizer takes.

    Args:
        learning_rate: The highest learning rate.
        recipe: Names the schedule.
        steps: Steps of the whole training.

    Returns:
        A number or a schedule.
    """
    schedule = recipe.lr_schedule
    if schedule == "constant":
        return learning_rate
    warmup_steps = min(round(schedule.warmup * steps), steps - 1)
    if schedule.decay == "linear":
        return LinearWarmupDecay(learning_rate, warmup_steps, steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=steps - warmup_steps,
    )


class KernelMuon(keras.optimizers.Muon):  # type: ignore[misc]  # Keras has no types
    """Keras' Muon, also for kernels of convolutions, flattened to matrices; not for the last layer's kernel.

    Keras' own takes matrices alone. Adam trains vectors and the last layer, as in Jordan et al., 2024, "Muon: An
    optimizer for hidden layers in neural networks".
    """

    def build(self, variables: Sequence[Any]) -> None:
        """Note the last kernel."""
        self.last_kernel = [variable for variable in variables if len(variable.shape) > 1][-1]
        super().build(variables)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or variable is self.last_kernel

    def _muon_update_step(self, gradient: Any, variable: Any, learning_rate: Any, momentum: Any) -> None:
        self.assign_add(momentum, gradient + momentum * (self.momentum - 1))
        nesterov = gradient + self.momentum * momentum
        matrix = ops.reshape(nesterov, (prod(variable.shape[:-1]), variable.shape[-1]))
        step = self.lr_adjust(learning_rate * self.zeropower_via_newtonschulz5(matrix, self.ns_steps))
        self.assign_sub(variable, ops.reshape(step, variable.shape))


def make_optimizer(config: OptimizerConfig, recipe: Recipe, steps: int, fused: bool) -> keras.optimizers.Optimizer:
    """Make the optimizer of a model.

    Args:
        config: Names the optimizer and its settings.
        recipe: Names the learning rate schedule and the EMA momentum of the weights.
        steps: Steps of the whole training.
        fused: Whether Adam updates a weight in one operation, which needs TensorFlow.

    Returns:
        A Keras optimizer.
    """
    settings = config.model_dump(exclude={"name"})
    settings["learning_rate"] = make_lr_schedule(config.learning_rate, recipe, steps)
    if recipe.ema is not None:
        settings |= {"use_ema": True, "ema_momentum": recipe.ema}
    if config.name == "muon":
        adam_learning_rate = settings.pop("adam_learning_rate")
        return KernelMuon(adam_lr_ratio=adam_learning_rate / config.learning_rate, adam_weight_decay=0.0, **settings)
    if config.name == "sgdw":
        return keras.optimizers.SGD(nesterov=True, **settings)
    if fused and config.name == "adam":
        return _fused_adam()(**settings)
    return keras.optimizers.get({"class_name": config.name, "config": settings})


def _fused_adam() -> Any:
    import tensorflow as tf

    class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras has no types
        """Keras' Adam by TensorFlow's kernel, with the same formula.

        Keras writes it as a dozen operations that each pass over the weight. In a large layer a step waits for memory.
        """

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Apply algorithm 1 of Kingma and Ba, 2014, in the efficient order of section 2."""
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
