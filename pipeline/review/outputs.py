"""Outputs that a fresh clone lacks: from the remote, from the cache, or made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError
from pipeline.programs import dvc
from pipeline.review.lock import Locked, read_lock


@dataclass(frozen=True)
class Outputs:
    """What became of the outputs.

    `missing` are paths that no cache has; `reproduced` are the stages that were run and gave what ``dvc.lock`` says,
    `otherwise` those that gave something else, as a training does on another processor; `trouble` are the messages of
    a remote that could not be read or of a stage that failed.
    """

    missing: list[str]
    reproduced: list[str]
    otherwise: list[str]
    trouble: list[str]


def restore(stages: Sequence[str]) -> Outputs:
    """Bring back what the remote and the cache have, then run those of `stages` whose inputs are there.

    `stages` are named as in ``dvc.yaml``: ``evaluate`` stands for all of ``evaluate@NAME``. DVC takes a result from its
    run cache where it has one, and runs the command elsewhere.
    """
    trouble: list[str] = []
    if dvc("remote", "list").strip():
        try:
            dvc("pull", "--allow-missing", "--run-cache")
        except InputError as error:
            trouble.append(str(error))
    dvc("checkout", "--allow-missing")
    active = dvc("stage", "list", "--all", "--name-only").split()
    lock = {name: locked for name, locked in read_lock().items() if name in active}
    reproduced: list[str] = []
    otherwise: list[str] = []
    while stage := next((name for name in lock if _wanted(name, stages) and _can_run(lock[name])), None):
        try:
            dvc("repro", "--single-item", stage)
        except InputError as error:
            trouble.append(str(error))
            break
        (reproduced if read_lock()[stage].outs == lock[stage].outs else otherwise).append(stage)
    missing = [path for locked in lock.values() for path in _missing(locked)]
    return Outputs(missing, reproduced, otherwise, trouble)


def _wanted(name: str, stages: Sequence[str]) -> bool:
    return name in stages or name.partition("@")[0] in stages


def _can_run(locked: Locked) -> bool:
    return bool(_missing(locked)) and all(Path(path).exists() for path in locked.deps)


def _missing(locked: Locked) -> list[str]:
    return [path for path in locked.outs if not Path(path).exists()]
