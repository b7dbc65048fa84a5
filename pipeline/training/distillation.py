"""What a student learns from besides the labels: the answers of a teacher."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

SMALLEST = 1e-30  # a probability below counts as this, since its logarithm is taken; float32 knows smaller ones


@dataclass(frozen=True, eq=False)
class Distillation:
    """Learning from a teacher's `answers` for the training images, float32 (n, classes), in their order.

    Labels and answers weigh 1 - `weight` and `weight`; both networks' answers are softened by `temperature`, which
    divides logits. Hinton, Vinyals and Dean, 2015, "Distilling the knowledge in a neural network".

    The answers are those for the images as they are, whatever a recipe does to what the student sees: a fixed teacher.
    It costs nothing while training, and teaches less where images change much (Beyer et al., 2022, "Knowledge
    distillation: a good teacher is patient and consistent"). Mixup mixes the answers as it does the labels.
    """

    answers: npt.NDArray[np.float32]
    temperature: float
    weight: float

    def targets(self, labels: npt.NDArray[np.uint8], label_smoothing: float) -> npt.NDArray[Any]:
        """Labels (n,) as distributions and, beside them, the teacher's softened answers: float32 (n, 2 * classes)."""
        classes = self.answers.shape[1]
        hard = (1 - label_smoothing) * np.eye(classes)[labels] + label_smoothing / classes
        powers = np.maximum(self.answers, SMALLEST, dtype=np.float64) ** (1 / self.temperature)
        return np.hstack([hard, powers / powers.sum(axis=1, keepdims=True)]).astype(np.float32)

    def loss(self, targets: Any, answers: Any) -> Any:
        """The loss of each image, (n,), for `targets` and the student's `answers`, (n, classes).

        That is the cross-entropy with the labels, and the one with the teacher at the temperature, whose square makes
        gradients as large as they are without. The teacher's entropy, which no student can change, is taken off, so
        that one that answers as its teacher does has lost nothing to it. Targets (n, classes) are labels without a
        teacher, as in the validation part: what they give is the cross-entropy alone, as of any other model.
        """
        classes = answers.shape[1]
        of_labels = keras.losses.categorical_crossentropy(targets[:, :classes], answers)
        if targets.shape[1] == classes:
            return of_labels
        logits = ops.log(ops.maximum(answers, SMALLEST)) / self.temperature
        taught = targets[:, classes:]
        difference = ops.log(ops.maximum(taught, SMALLEST)) - ops.log_softmax(logits, axis=1)
        of_teacher = ops.sum(taught * difference, axis=1)
        return (1 - self.weight) * of_labels + self.weight * self.temperature**2 * of_teacher

    def accuracy(self, targets: Any, answers: Any) -> Any:
        """Whether the most probable class of each image is that of its label, (n,); the teacher does not count."""
        return keras.metrics.categorical_accuracy(targets[:, : answers.shape[1]], answers)
