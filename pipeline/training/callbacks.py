"""Callbacks of a training: checkpoint, EMA evaluation, divergence, live curves and progress."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from dvclive import Live
from tqdm import tqdm

from pipeline.io import InputError, read_npz, write_npz

CURVES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
SECONDS_BETWEEN_WRITES = 1.0  # epochs may be many and short
SECONDS_BETWEEN_LINES = 1.0
SECONDS_BETWEEN_REPORTS = 2.0  # the live report is drawn anew from all epochs


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Record the curves and keep the weights with the best validation accuracy.

    The file at `path` also stores the optimizer and random-generator state, so a resumed training is bit-identical to
    an uninterrupted one. `fingerprint` stands for everything that the result depends on; a file with another
    fingerprint is ignored. The model ends with the weights of the best epoch.
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
        """One row for each epoch, with the columns `CURVES`."""
        return pd.DataFrame(self.rows, columns=CURVES).astype({"epoch": int})

    @property
    def best_epoch(self) -> int:
        """The first epoch with the best validation accuracy, from 1."""
        return int(self.curves["val_accuracy"].to_numpy().argmax()) + 1

    def restore(self, model: keras.Model) -> int:
        """Restore a model, built and compiled, from the file.

        Returns the number of epochs that are done, 0 without a file of this training.
        """
        self.set_model(model)
        try:
            arrays = read_npz(self.path)
            if str(arrays["fingerprint"]) != self.fingerprint:
                return 0
            self.rows, self.seconds = arrays["rows"].tolist(), arrays["seconds"].tolist()
            self.best_weights = _unpack(arrays, "best")
            for variable, value in zip(_variables(model), _unpack(arrays, "variable"), strict=True):
                variable.assign(value)
        except (FileNotFoundError, InputError, KeyError):
            return 0
        return len(self.rows)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Copy the evaluated weights before a later callback puts others back."""
        self.evaluated_weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch, keep its weights if it is the best so far, and write the file at intervals."""
        now = time.monotonic()
        self.seconds.append(now - self.started)
        self.rows.append([epoch + 1, *((logs or {})[curve] for curve in CURVES[1:])])
        if self.best_epoch == epoch + 1:
            self.best_weights = self.evaluated_weights
        if now - self.written >= SECONDS_BETWEEN_WRITES:
            self._write()
            self.written = now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the file, which other seeds may need, and restore the best weights."""
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
            | _pack("best", self.best_weights)
            | _pack("variable", [keras.ops.convert_to_numpy(variable) for variable in _variables(self.model)]),
            compressed=False,  # weights hardly get smaller, and the training waits
        )


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _pack(name: str, arrays: list[npt.NDArray[Any]]) -> dict[str, npt.ArrayLike]:
    return {f"{name}_{number}": array for number, array in enumerate(arrays)}


def _unpack(arrays: dict[str, npt.NDArray[Any]], name: str) -> list[npt.NDArray[Any]]:
    number = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{position}"] for position in range(number)]


class EvaluateEMAWeights(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Evaluate with the exponential moving average of the weights, which Keras' optimizers keep with ``use_ema``.

    Keras' SwapEMAWeights swaps by adding and subtracting, which rounds the weights that are trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[npt.NDArray[Any]] = []

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Set the trained weights aside and load the average."""
        weights = self.model.trainable_variables
        self.trained = [keras.ops.convert_to_numpy(weight) for weight in weights]
        self.model.optimizer.finalize_variable_values(weights)
        for weight in weights:  # in memory of their own: JAX donates the memory of what it evaluates
            weight.assign(keras.ops.convert_to_numpy(weight).copy())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Put the trained weights back."""
        for weight, trained in zip(self.model.trainable_variables, self.trained, strict=True):
            weight.assign(trained)


class TerminateOnNaN(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Raise InputError with epoch and batch, both from 1, as soon as the loss is not finite."""

    def __init__(self, name: str, seed: int, learning_rate: float) -> None:
        super().__init__()
        self.name = name
        self.seed = seed
        self.learning_rate = learning_rate
        self.epoch = self.finite_before = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch."""
        self.epoch = epoch + 1
        self.finite_before = self._finite_batches(0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the mean loss of the epoch so far, which stays NaN after one bad batch."""
        if not math.isfinite((logs or {})["loss"]):
            number = self._finite_batches(batch) - self.finite_before + 1
            raise InputError(
                f"models.{self.name}: loss became NaN or infinite in epoch {self.epoch}, batch {number} "
                f"(seed {self.seed}); try a smaller optimizer.learning_rate (now {self.learning_rate})"
            )

    def _finite_batches(self, batch: int) -> int:
        """Return the batches before the first bad one, counted on the device if the loop runs there."""
        return int(getattr(self.model, "finite_batches", batch))


class Progress(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Show the progress of a training on stderr: a bar on a terminal, else plain lines, at most one a second."""

    def __init__(self, name: str, seed: int, epochs: int, done: int) -> None:
        super().__init__()
        self.title = f"{name}, seed {seed}"
        self.epochs = epochs
        self.bar = tqdm(
            total=epochs, initial=done, desc=self.title, unit="epoch", disable=None
        )  # None: on a terminal only
        self.written = -math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the loss and the validation accuracy of the epoch."""
        metrics = logs or {}
        loss, accuracy = f"{metrics['loss']:.4f}", f"{metrics['val_accuracy']:.4f}"
        self.bar.set_postfix_str(f"loss {loss}, validation accuracy {accuracy}", refresh=False)
        self.bar.update()
        now = time.monotonic()
        if self.bar.disable and now - self.written >= SECONDS_BETWEEN_LINES:
            line = f"{self.title}: epoch {epoch + 1}/{self.epochs}, loss {loss}, validation accuracy {accuracy}"
            print(line, file=sys.stderr, flush=True)
            self.written = now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the bar."""
        self.bar.close()


@contextmanager
def live_report(folder: Path, resume: bool) -> Iterator[Live]:
    """Open DVCLive's report in a folder.

    An OSError without a file name, such as that of a full disk, gets the folder's name.
    """
    for path in folder.glob("plots/metrics/**/*.tsv"):  # a kill may have left a file before its header was in it
        if not path.read_text().startswith("step\t"):
            path.unlink()
    try:
        with Live(str(folder), report="html", save_dvc_exp=False, dvcyaml=None, resume=resume) as live:
            yield live
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise


class LiveCurves(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Log each epoch to DVCLive. Its own callback needs TensorFlow, whichever backend trains."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.reported = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the metrics of the epoch and write the report at intervals."""
        metrics = logs or {}
        self.live.step = epoch + 1
        for metric in ("loss", "accuracy"):
            self.live.log_metric(f"train/{metric}", metrics[metric])
            self.live.log_metric(f"validation/{metric}", metrics[f"val_{metric}"])
        now = time.monotonic()
        if now - self.reported > SECONDS_BETWEEN_REPORTS:
            self.live.sync()
            self.reported = now
