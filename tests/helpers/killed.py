"""A training that is killed, for tests of how it goes on."""

from pathlib import Path
from typing import Any

from pipeline.training.checkpoint import Checkpoint


class KilledError(Exception):
    """What a test stops a training with."""


class KilledAfter(Checkpoint):
    """A checkpoint whose training ends when the last of `epochs` is written."""

    def __init__(self, path: Path, fingerprint: str, epochs: int) -> None:
        super().__init__(path, fingerprint)
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if epoch + 1 == self.epochs:
            raise KilledError
