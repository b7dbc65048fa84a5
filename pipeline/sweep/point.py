"""One point of a sweep: a model under some settings, and its name as an experiment."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

from pipeline.sweep.schema import Sweep, Value

READABLE = 60  # characters of a name before its hash


@dataclass(frozen=True)
class Point:
    """The model and its settings, by their keys below ``models.NAME``; equal points of one sweep have equal names."""

    sweep: str
    model: str
    settings: Mapping[str, Value]

    @property
    def name(self) -> str:
        """The experiment's name: what can be read of the settings, then a hash of all of them.

        >>> Point("mlp", "mlp", {"layers": 1, "nodes": 32}).name
        'mlp-layers-1-nodes-32-875f5dbf'
        """
        readable = "-".join(f"{key.rpartition('.')[2]}-{_short(value)}" for key, value in self.settings.items())
        plain = re.sub(r"[^A-Za-z0-9_]*[^A-Za-z0-9_.][^A-Za-z0-9_]*|\.\.+", "-", f"{self.sweep}-{readable}")
        everything = json.dumps([self.model, self.settings], sort_keys=True)
        return f"{plain[:READABLE].strip('-.')}-{sha256(everything.encode()).hexdigest()[:8]}"

    @property
    def overrides(self) -> list[str]:
        """The settings as ``dvc exp run --set-param`` takes them; JSON is also what its grammar reads."""
        return [f"models.{self.model}.{key}={json.dumps(value)}" for key, value in self.settings.items()]

    @property
    def label(self) -> str:
        """The settings for a figure, such as ``layers 1, nodes 32``."""
        return ", ".join(f"{key} {_short(value)}" for key, value in self.settings.items())


def grid_points(name: str, sweep: Sweep) -> list[Point]:
    """All combinations of the grid of the sweep called `name`; the last setting changes fastest."""
    grid = sweep.grid or {}
    return [Point(name, sweep.model, dict(zip(grid, values, strict=True))) for values in product(*grid.values())]


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
