"""How the learning rate changes while a model trains."""

from typing import Any

import keras
from keras import ops

from pipeline.params.recipes import Recipe


class Triangle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras has no types
    """Up from 0 to `peak` in the first `warm_up_steps`, and down to 0 at `steps`, in straight lines."""

    def __init__(self, peak: float, warm_up_steps: int, steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warm_up_steps = warm_up_steps
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        """Learning rate of the step, from 0."""
        down = (self.steps - ops.cast(step, "float32")) / (self.steps - self.warm_up_steps)
        if not self.warm_up_steps:
            return self.peak * down
        return self.peak * ops.minimum(ops.cast(step, "float32") / self.warm_up_steps, down)

    def get_config(self) -> dict[str, Any]:
        """Arguments that make it again."""
        return {"peak": self.peak, "warm_up_steps": self.warm_up_steps, "steps": self.steps}


def scheduled(learning_rate: float, recipe: Recipe, steps: int) -> Any:
    """What Keras' optimizers take as learning rate, for a training of so many `steps`: the highest is given."""
    schedule = recipe.schedule
    if schedule == "constant":
        return learning_rate
    warm_up_steps = min(round(schedule.warm_up * steps), steps - 1)
    if schedule.decay == "linear":
        return Triangle(learning_rate, warm_up_steps, steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warm_up_steps else learning_rate,
        warmup_target=learning_rate if warm_up_steps else None,
        warmup_steps=warm_up_steps,
        decay_steps=steps - warm_up_steps,
    )
