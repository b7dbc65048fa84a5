"""Trainings where TensorFlow has made two devices of the CPU, which must come before all else in a process.

``python -m tests.two_devices FOLDER`` trains on images of FOLDER, in the working folder, and prints what came of it.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from pipeline.catalogue import build
from pipeline.dataset.idx import read_images, read_labels
from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.recipes import Recipe
from pipeline.training import checkpoint as checkpoints
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import make_repeatable
from pipeline.training.execution import Execution, execution_for, scope_of
from pipeline.training.fit import Fit, fit, with_normalization
from pipeline.training.predict import predict
from pipeline.training.train import train as train_model
from tests.clone import ROOT
from tests.everything import AT_RANDOM, PLAIN
from tests.killed import KilledAfter, KilledError

PARAMS = read_params(ROOT / "params.yaml")
SGD = PARAMS.models["simple_nn"].optimizer  # Adam makes the rounding of tiny gradients as large as a step
NORMALIZATION = Normalization(offset=73, scale=90)
ONE, TWO = (Execution(shards=1, xla=False, devices=devices) for devices in (1, 2))


class Trainings:
    """Trainings on images of a folder: few, in six batches of 32 and one of 8, since rounding grows."""

    def __init__(self, folder: Path) -> None:
        images = read_images(folder / "train-images-idx3-ubyte")[..., np.newaxis]
        labels = read_labels(folder / "train-labels-idx1-ubyte")
        self.train = Part(images[:400:2], labels[:400:2])
        self.validation = Part(images[1::2], labels[1::2])

    def fitted(
        self,
        name: str,
        execution: Execution,
        recipe: Recipe = PLAIN,
        kept: Checkpoint | None = None,
        dropout: bool = False,
        **changes: Any,
    ) -> tuple[Fit, keras.Model]:
        """Fit the model `name` of ``params.yaml`` for two epochs, from the same weights each time."""
        params = PARAMS.models[name].model_copy(update={"epochs": 2, "batch_size": 32, **changes})
        make_repeatable(0)
        Path("any.npz").unlink(missing_ok=True)
        kept = kept or Checkpoint(Path("any.npz"), "any")
        with scope_of(execution):
            network = build(params.architecture, (28, 28, 1), 10, params.options)
            for layer in network.layers:
                if isinstance(layer, layers.Dropout) and not dropout:
                    layer.rate = 0
            model = with_normalization(network, NORMALIZATION)
            return fit(name, 0, model, params, recipe, self.train, self.validation, execution, kept), model

    def losses(self, name: str, recipe: Recipe = PLAIN, **changes: Any) -> list[list[float]]:
        """Loss and validation loss of two epochs, of one device and of two."""
        curves = [self.fitted(name, execution, recipe, **changes)[0].curves for execution in (ONE, TWO)]
        return [curve[["loss", "val_loss"]].to_numpy().ravel().tolist() for curve in curves]

    def predicted_after_a_kill(self) -> list[str]:
        """What a network with everything on predicts, trained by two devices: undisturbed, and killed and resumed."""

        def predicted(kept: Checkpoint) -> str:
            _, model = self.fitted("cnn1", TWO, AT_RANDOM, kept, dropout=True, epochs=4)
            return predict(model, self.validation.images).tobytes().hex()

        undisturbed = predicted(Checkpoint(Path("a.npz"), "this"))
        checkpoints.SECONDS_BETWEEN_WRITES = 0
        with suppress(KilledError):
            predicted(KilledAfter(Path("b.npz"), "this", epochs=2))
        return [undisturbed, predicted(Checkpoint(Path("b.npz"), "this"))]

    def divergence(self) -> list[str]:
        """What is said of a learning rate that is far too high, on one device and on two."""
        said = []
        optimizer = SGD.model_copy(update={"learning_rate": 1e30})
        for execution in (ONE, TWO):
            try:
                self.fitted("simple_nn", execution, optimizer=optimizer)
            except InputError as error:
                said.append(str(error))
        return said

    def stage(self) -> dict[str, Any]:
        """What the stage's training says of itself, and whether the model that it keeps predicts what it says."""
        params = PARAMS.models["resnet"].model_copy(update={"epochs": 2, "seeds": [0], "batch_size": 20})
        parts = {"train": self.train, "validation": self.validation}
        trained = train_model("resnet", params, AT_RANDOM, parts, NORMALIZATION, 10, [])
        (predicted,) = trained.probabilities["validation"]  # of one seed
        right = predicted.argmax(axis=1) == self.validation.labels
        return {
            "devices": trained.record["devices"],
            "same": predict(trained.model, self.validation.images).tobytes() == predicted.tobytes(),
            "accuracy": right.mean(),
            "val_accuracy": trained.curves["val_accuracy"].max(),
        }


def one_step_behind_dropout() -> list[float]:
    """The weights, zeros before, of the first class after a step on two white images of it, one on each device."""
    white = Part(np.full((2, 28, 28, 1), 255, np.uint8), np.zeros(2, np.uint8))
    params = PARAMS.models["simple_nn"].model_copy(update={"epochs": 1, "batch_size": 2})
    with scope_of(TWO):
        dense = layers.Dense(10, "softmax", kernel_initializer="zeros")
        network = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.5), dense])
        model = with_normalization(network, Normalization(offset=0, scale=255))
        fit("simple_nn", 0, model, params, PLAIN, white, white, TWO, Checkpoint(Path("white.npz"), ""))
    weights: list[float] = dense.get_weights()[0][:, 0].tolist()
    return weights


def devices(batch_size: int, *others: int) -> int:
    """How many devices train batches of that many images."""

    def network() -> keras.Model:
        return build("mlp", (28, 28, 1), 10, PARAMS.models["mlp"].options)

    return execution_for(network, batch_size, cores=2, others=others).devices


def main() -> None:
    """Print everything as JSON."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    trainings = Trainings(Path(sys.argv[1]))
    found = {
        "devices": [devices(32, 300), devices(32, 301), devices(25, 300)],
        "dense": trainings.losses("mlp"),
        "convolutional, with everything on": trainings.losses("resnet", AT_RANDOM, optimizer=SGD),
        "full batch": trainings.losses("single_layer", batch_size="full"),
        "after a kill": trainings.predicted_after_a_kill(),
        "divergence": trainings.divergence(),
        "dropout": one_step_behind_dropout(),
        "stage": trainings.stage(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
