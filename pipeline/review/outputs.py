"""Outputs that a fresh clone lacks: from the remote, from the cache, or made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.review.lock import Locked, read_lock
from pipeline.review.programs import dvc


@dataclass(frozen=True)
class Outputs:
    """What became of the outputs.

    `missing` are paths that no cache has, `reproduced` the stages that were run and whether they gave what
    ``dvc.lock`` says, `trouble` the remote's message if it could not be read.
    """

    missing: list[str]
    reproduced: dict[str, str]
    trouble: str


def restore(stages: Sequence[str]) -> Outputs:
    """Bring back what the remote and the cache have, then run those of `stages` whose inputs are there.

    `stages` are named as in ``dvc.yaml``: ``evaluate`` stands for all of ``evaluate@NAME``. DVC takes a result from its
    run cache where it has one, and runs the command elsewhere.

    Raises InputError if a stage fails.
    """
    trouble = ""
    if dvc("remote", "list").strip():
        try:
            dvc("pull", "--allow-missing", "--run-cache")
        except InputError as error:
            trouble = str(error)
    dvc("checkout", "--allow-missing")
    active = dvc("stage", "list", "--all", "--name-only").split()
    lock = {name: locked for name, locked in read_lock().items() if name in active}
    reproduced: dict[str, str] = {}
    while stage := next((name for name in lock if _wanted(name, stages) and _can_run(lock[name])), None):
        dvc("repro", "--single-item", stage)
        same = read_lock()[stage].outs == lock[stage].outs
        reproduced[stage] = "the committed result" if same else "another result than the committed one"
    return Outputs([path for locked in lock.values() for path in _missing(locked)], reproduced, trouble)


def _wanted(name: str, stages: Sequence[str]) -> bool:
    return name in stages or name.partition("@")[0] in stages


def _can_run(locked: Locked) -> bool:
    return bool(_missing(locked)) and all(Path(path).exists() for path in locked.deps)


def _missing(locked: Locked) -> list[str]:
    return [path for path in locked.outs if not Path(path).exists()]
