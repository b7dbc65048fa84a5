"""What a training has reached after each epoch: kept for its end, and on disk for when it is killed."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.artifacts import read_npz, write_npz
from pipeline.errors import InputError

CURVES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
SECONDS_BETWEEN_WRITES = 1.0  # epochs may be many and short


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Keep the curves and the weights of the epoch most accurate on the validation part; end with those weights.

    The file at `path` holds these and all variables of the training, random generators and optimizer included, so
    that one that goes on from it ends with the same bits as one that was never killed. `fingerprint` stands for all
    that the result depends on; a file of another fingerprint is not used.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        super().__init__()
        self.path = path
        self.fingerprint = fingerprint
        self.rows: list[list[float]] = []
        self.seconds: list[float] = []
        self.evaluated_weights: list[npt.NDArray[Any]] = []
        self.best_weights: list[npt.NDArray[Any]] = []
        self.started = self.written = time.monotonic()

    @property
    def curves(self) -> pd.DataFrame:
        """One row an epoch: `CURVES`."""
        return pd.DataFrame(self.rows, columns=CURVES).astype({"epoch": int})

    @property
    def best_epoch(self) -> int:
        """The earliest of the most accurate epochs, from 1."""
        return int(self.curves["val_accuracy"].to_numpy().argmax()) + 1

    def restore(self, model: keras.Model) -> int:
        """Bring `model`, built and compiled, to the end of the last epoch that was written; gives its number or 0."""
        self.set_model(model)
        try:
            arrays = read_npz(self.path)
            if str(arrays["fingerprint"]) != self.fingerprint:
                return 0
            self.rows, self.seconds = arrays["rows"].tolist(), arrays["seconds"].tolist()
            self.best_weights = _unpacked(arrays, "best")
            for variable, value in zip(_variables(model), _unpacked(arrays, "variable"), strict=True):
                variable.assign(value)
        except (FileNotFoundError, InputError, KeyError):
            return 0
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Take the weights that the evaluation used, before a callback after this one puts others back."""
        self.evaluated_weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the figures of the epoch and, if it is the best so far, its weights; write the file now and then."""
        now = time.monotonic()
        self.seconds.append(now - self.started)
        self.rows.append([epoch + 1, *((logs or {})[curve] for curve in CURVES[1:])])
        if self.best_epoch == epoch + 1:
            self.best_weights = self.evaluated_weights
        if now - self.written >= SECONDS_BETWEEN_WRITES:
            self._write()
            self.written = now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the file, for the time that other seeds take; take the best weights."""
        self._write()
        self.model.set_weights(self.best_weights)

    def _write(self) -> None:
        arrays: dict[str, npt.ArrayLike] = {
            "fingerprint": self.fingerprint,
            "rows": np.array(self.rows, dtype=np.float64),
            "seconds": np.array(self.seconds),
        }
        write_npz(
            self.path,
            arrays
            | _packed("best", self.best_weights)
            | _packed("variable", [keras.ops.convert_to_numpy(variable) for variable in _variables(self.model)]),
            compressed=False,  # weights hardly get smaller, and the training waits
        )


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _packed(name: str, arrays: list[npt.NDArray[Any]]) -> dict[str, npt.ArrayLike]:
    return {f"{name}_{number}": array for number, array in enumerate(arrays)}


def _unpacked(arrays: dict[str, npt.NDArray[Any]], name: str) -> list[npt.NDArray[Any]]:
    number = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{position}"] for position in range(number)]
