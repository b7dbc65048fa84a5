"""Trials of a sweep: their names as DVC experiments, and what they reached on validation data."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import product
from pathlib import Path

import pandas as pd

from pipeline.config import ROOT, Layout
from pipeline.dvc_modules import DVCFileSystem
from pipeline.io import InputError
from pipeline.programs import git
from pipeline.sweep.config import Value

OWN_FOLDERS = ("sweeps", "reports/sweeps")  # read and written by the sweep itself, not by its trials
READABLE = 60  # characters of a name before its hash


@dataclass(frozen=True)
class Trial:
    """A model under some settings. Equal trials of one sweep have equal names.

    Attributes:
        sweep: Name of the sweep.
        model: Name of the model.
        settings: Values by their keys below ``models.NAME``.
        layout: The pipeline that has the model.
    """

    sweep: str
    model: str
    settings: Mapping[str, Value]
    layout: Layout = ROOT

    @property
    def name(self) -> str:
        """Name of the experiment: a readable form of the settings, then a hash of all of them.

        >>> Trial("mlp", "mlp", {"layers": 1, "units": 32}).name
        'mlp-layers-1-units-32-06542a22'
        """
        readable = "-".join(f"{key.rpartition('.')[2]}-{_shorten(value)}" for key, value in self.settings.items())
        plain = re.sub(r"[^A-Za-z0-9_]*[^A-Za-z0-9_.][^A-Za-z0-9_]*|\.\.+", "-", f"{self.sweep}-{readable}")
        everything = json.dumps([self.model, self.settings], sort_keys=True)
        return f"{plain[:READABLE].strip('-.')}-{sha256(everything.encode()).hexdigest()[:8]}"

    @property
    def overrides(self) -> list[str]:
        """Settings as ``dvc exp run --set-param`` takes them; its grammar reads JSON."""
        file = "" if self.layout == ROOT else f"{self.layout.params}:"
        return [f"{file}models.{self.model}.{key}={json.dumps(value)}" for key, value in self.settings.items()]

    @property
    def stage(self) -> str:
        """Stage that trains and evaluates the model, for ``dvc exp run``."""
        return self.layout.stage("evaluate", self.model)

    @property
    def label(self) -> str:
        """Settings for a figure, such as ``layers 1, units 32``."""
        return ", ".join(f"{key} {_shorten(value)}" for key, value in self.settings.items())


@dataclass(frozen=True)
class TrialResult:
    """The results of a finished trial. Files are read from git and DVC's cache; the workspace stays as it is.

    Attributes:
        trial: The trial.
        files: The files of its experiment.
        folder: The folder of the pipeline among them.
    """

    trial: Trial
    files: DVCFileSystem
    folder: Path

    @cached_property
    def validation_accuracy(self) -> float:
        """Mean over the model's seeds, from the metrics."""
        metrics = json.loads(
            self.files.read_text((self.folder / self.trial.layout.metrics_of(self.trial.model)).as_posix())
        )
        return float(metrics["validation"]["accuracy"])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Loss and accuracy on training and validation data, one row an epoch."""
        with self.files.open((self.folder / self.trial.layout.curves(self.trial.model)).as_posix()) as file:
            return pd.read_csv(file)


@dataclass(frozen=True)
class PrunedTrial:
    """A trial that a search stopped early, and the last epoch it reached."""

    trial: Trial
    epoch: int


def grid_trials(template: Trial, grid: Mapping[str, Sequence[Value]]) -> list[Trial]:
    """Return a trial for each combination of a grid's settings. The last setting changes fastest."""
    return [replace(template, settings=dict(zip(grid, values, strict=True))) for values in product(*grid.values())]


def baseline() -> str:
    """Return the commit on which the experiments of a sweep stand.

    Raises InputError if files differ from the commit: a trial is known by its settings and the commit alone.
    """
    own = [f":(exclude){folder}" for folder in OWN_FOLDERS]
    status = ("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=no")
    changed = git(*status, "--", ".", *own).splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed)
        raise InputError(f"working tree: found changes in {names}, expected them committed: a sweep tries a commit")
    return git("rev-parse", "HEAD").strip()


def reference(commit: str, name: str) -> str:
    """Return the git reference by which DVC knows the experiment `name` on `commit`."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def finished(commit: str) -> set[str]:
    """Return the names of the experiments on `commit`; DVC makes one when all its stages have ended."""
    listed = git("for-each-ref", "--format=%(refname)", reference(commit, "")).split()
    return {name.rpartition("/")[2] for name in listed}


def git_top() -> tuple[Path, Path]:
    """Return the top folder of the git repository, and the current folder relative to it."""
    top, prefix = (git("rev-parse", option).rstrip("\n") for option in ("--show-toplevel", "--show-prefix"))
    return Path(top), Path(prefix)


def read_result(trial: Trial, commit: str) -> TrialResult:
    """Read what the experiment of `trial` on `commit` reached."""
    experiment = git("rev-parse", reference(commit, trial.name)).strip()
    _, folder = git_top()
    return TrialResult(trial, DVCFileSystem(".", rev=experiment, subrepos=folder != Path()), folder)


def best_result(results: Sequence[TrialResult]) -> TrialResult:
    """Return the result with the highest validation accuracy; of equals, the first."""
    return max(results, key=lambda result: result.validation_accuracy)


def _shorten(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
