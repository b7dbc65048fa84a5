"""The learning curves while a model trains."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
from dvclive import Live

SECONDS_BETWEEN_REPORTS = 2.0  # the report is drawn anew from all epochs, which may be many and short


@contextmanager
def live_report(folder: Path, resume: bool) -> Iterator[Live]:
    """DVCLive's report in `folder`; an OSError that names no file, as that of a full disk does, comes to name it."""
    try:
        with Live(str(folder), report="html", save_dvc_exp=False, dvcyaml=None, resume=resume) as live:
            yield live
    except OSError as error:
        error.filename = error.filename or str(folder)
        raise


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
