"""The learning curves while a model trains."""

import time
from typing import Any

import keras
from dvclive import Live

SECONDS_BETWEEN_REPORTS = 2.0  # the report is drawn anew from all epochs, which may be many and short


class LiveCurves(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Log each epoch to DVCLive, whose own callback needs TensorFlow, whichever backend trains."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.reported = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the figures and, now and then, write the report."""
        figures = logs or {}
        self.live.step = epoch + 1
        for figure in ("loss", "accuracy"):
            self.live.log_metric(f"train/{figure}", figures[figure])
            self.live.log_metric(f"validation/{figure}", figures[f"val_{figure}"])
        now = time.monotonic()
        if now - self.reported > SECONDS_BETWEEN_REPORTS:
            self.live.sync()
            self.reported = now
