"""LeNet-5 (LeCun et al., 1998, section II.B) in two forms.

They are those of article C, "Classifying the Fashion-MNIST dataset…".
"""

from typing import Any, Literal

import keras
from keras import layers, ops
from pydantic import PositiveFloat


@keras.saving.register_keras_serializable(package="fashion_mnist")
class RBF(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Radial basis function units. Unit k returns ``exp(-gamma * ||x - mu_k||²)``; its centre mu_k is trained.

    Input (n, features), output (n, units), both of floats; the centres are (units, features).
    """

    def __init__(self, units: int, gamma: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.units = units
        self.gamma = gamma

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Create the centres."""
        self.centres = self.add_weight(shape=(self.units, input_shape[-1]), initializer="uniform", name="centres")

    def call(self, inputs: Any) -> Any:
        """Return the output of each unit, in (0, 1]."""
        squared_distance = ops.sum(ops.square(inputs[:, None, :] - self.centres), axis=-1)
        return ops.exp(-self.gamma * squared_distance)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, for loading a saved model."""
        return {**super().get_config(), "units": self.units, "gamma": self.gamma}


def build(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    activation: Literal["relu", "tanh"],
    rbf_gamma: PositiveFloat | None,
) -> keras.Model:
    """Build three 5×5 convolutions, two average poolings, a dense layer, and RBF units or softmax.

    Without `rbf_gamma` the last layer is softmax. Images smaller than 32×32 are padded to it. On 28×28 pixels the
    feature maps are then 32, 16, 8 and 4 wide:

    >>> convolutions = 156 + 2_416 + 48_120
    >>> dense = (4 * 4 * 120 + 1) * 84
    >>> rbf = build((28, 28, 1), 10, activation="tanh", rbf_gamma=0.5)
    >>> rbf.count_params() == convolutions + dense + 84 * 10
    True
    >>> softmax = build((28, 28, 1), 10, activation="relu", rbf_gamma=None)
    >>> softmax.count_params() == convolutions + dense + (84 + 1) * 10
    True
    >>> build((48, 48, 1), 10, activation="relu", rbf_gamma=None).layers[0].output.shape
    (None, 48, 48, 1)
    """
    missing = [max(0, 32 - side) for side in input_shape[:2]]
    to_32 = tuple((pixels // 2, pixels - pixels // 2) for pixels in missing)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.ZeroPadding2D(to_32),
            layers.Conv2D(6, 5, padding="same", activation=activation),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, padding="same", activation=activation),
            layers.AveragePooling2D(2),
            layers.Conv2D(120, 5, activation=activation),
            layers.Flatten(),
            layers.Dense(84, activation=activation),
            layers.Dense(classes, activation="softmax", dtype="float32")
            if rbf_gamma is None
            else RBF(classes, rbf_gamma, dtype="float32"),
        ]
    )
