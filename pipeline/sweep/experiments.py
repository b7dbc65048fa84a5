"""The experiments of a commit: which are there, and what they reached on validation data."""

import json
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from dvc.api import DVCFileSystem

from pipeline.errors import InputError
from pipeline.programs import git
from pipeline.sweep.point import Point

OWN_FILES = ("sweeps", "reports/sweeps")  # what a sweep reads and writes itself, and no point


def baseline() -> str:
    """The commit that the experiments of a sweep stand on.

    Raises InputError if files differ from it: a point could not be told from one of the same settings and other code.
    """
    own = [f":(exclude,top){folder}" for folder in OWN_FILES]
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", *own).splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed)
        raise InputError(f"working tree: found changes in {names}, expected them committed: a sweep tries a commit")
    return git("rev-parse", "HEAD").strip()


def reference(commit: str, name: str) -> str:
    """The git reference by which DVC knows the experiment `name` on `commit`."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def finished(commit: str) -> set[str]:
    """Names of the experiments on `commit`; DVC makes one when all its stages have ended."""
    listed = git("for-each-ref", "--format=%(refname)", reference(commit, "")).split()
    return {name.rpartition("/")[2] for name in listed}


@dataclass(frozen=True)
class Outcome:
    """What a finished point reached; its files are read from git and DVC's cache, the workspace stays."""

    point: Point
    files: DVCFileSystem

    @cached_property
    def validation_accuracy(self) -> float:
        """By the metrics: the mean over the model's seeds."""
        metrics = json.loads(self.files.read_text(f"metrics/{self.point.model}.json"))
        return float(metrics["validation"]["accuracy"])

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row an epoch: loss and accuracy in training and on validation data."""
        with self.files.open(f"data/curves/{self.point.model}.csv") as file:
            return pd.read_csv(file)


@dataclass(frozen=True)
class Pruned:
    """A trial that was stopped, and the epoch after which it was."""

    point: Point
    epoch: int


def read_outcome(point: Point, commit: str) -> Outcome:
    """What the experiment of `point` on `commit` reached."""
    return Outcome(point, DVCFileSystem(".", rev=git("rev-parse", reference(commit, point.name)).strip()))


def winner(outcomes: list[Outcome]) -> Outcome:
    """The most accurate on validation data; the first of equals."""
    return max(outcomes, key=lambda outcome: outcome.validation_accuracy)
