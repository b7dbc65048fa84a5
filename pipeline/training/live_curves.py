"""The learning curves while a model trains."""

import time
from typing import Any

import keras
from dvclive import Live

SECONDS_BETWEEN_REPORTS = 2.0  # the report is drawn anew from all epochs, which may be many and short


class LiveCurves(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Log each epoch to DVCLive, and time it: `seconds` has one figure an epoch.

    DVCLive's own callback needs TensorFlow, whichever backend trains.
    """

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.seconds: list[float] = []
        self.started = self.reported = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the figures and, now and then, write the report."""
        now = time.monotonic()
        self.seconds.append(now - self.started)
        self.live.step = epoch + 1
        for metric, value in (logs or {}).items():
            figure = metric.removeprefix("val_")
            self.live.log_metric(f"{'train' if figure == metric else 'validation'}/{figure}", value)
        if now - self.reported > SECONDS_BETWEEN_REPORTS:
            self.live.sync()
            self.reported = now
