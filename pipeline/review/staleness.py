"""Whether the committed results belong to the code and the parameters beside them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.programs import dvc, git, is_ignored
from pipeline.review.lock import Locked, hash_of, read_lock

METRICS = "metrics"
STATES = {"new": "is new", "modified": "has changed", "deleted": "is gone"}  # DVC's words


class Reason(NamedTuple):
    """What of a stage does not fit, such as a file, and how."""

    subject: str
    state: str


def stale_results() -> dict[str, list[Reason]]:
    """The stages whose results are of other code or parameters, or were edited, each with its reasons.

    Outputs that are only in a cache may be absent, as they are in a fresh clone: then the hashes in ``dvc.lock`` stand
    for them. A file of metrics that no stage writes is listed under its own path.
    """
    status: dict[str, list[Any]] = json.loads(dvc("status", "--json"))
    stages = dvc("stage", "list", "--all", "--name-only").split()
    lock = read_lock()
    before = {path: md5 for locked in lock.values() for path, md5 in locked.outs.items()}
    outs = {path: md5 for stage in stages if stage in lock for path, md5 in lock[stage].outs.items()}
    stale: dict[str, list[Reason]] = defaultdict(list)
    for stage in stages:
        if stage in lock:
            stale[stage] += [*_inputs(lock[stage], outs, before), *_changes(status.get(stage, []), outs)]
        else:
            stale[stage].append(Reason("dvc.lock", "has no results of it"))
    for path in git("ls-files", "-z", METRICS).split("\0"):
        if path and path not in outs and Path(path).exists():
            stale[path].append(Reason("dvc.yaml", "has no stage that writes it"))
    return {stage: reasons for stage, reasons in stale.items() if reasons}


def _inputs(locked: Locked, outs: Mapping[str, str], before: Mapping[str, str]) -> Iterator[Reason]:
    """What the stage read from other stages, against what they wrote last.

    `before` also has the outputs of stages that are no longer there: DVC leaves their files in a folder that is read.
    """
    for path, md5 in locked.deps.items():
        written = hash_of(path, outs)
        if written not in (None, md5) and hash_of(path, before) != md5:
            yield Reason(path, "was written again since")


def _changes(entries: list[Any], outs: Mapping[str, str]) -> Iterator[Reason]:
    """What `dvc status` found, less what is only absent."""
    for entry in entries:
        if isinstance(entry, str):  # "changed command"
            yield Reason(entry.removeprefix("changed "), STATES["modified"])
            continue
        for path, state in entry.get("changed deps", {}).items():
            if isinstance(state, dict):
                yield from (Reason(f"{path}: {key}", STATES.get(how, str(how))) for key, how in state.items())
            elif hash_of(path, outs) is None:
                yield Reason(path, STATES.get(state, str(state)))
        for path, state in entry.get("changed outs", {}).items():
            if state == "modified":
                yield Reason(path, "is not what the stage wrote")
            elif state == "deleted" and not is_ignored(path):  # it belongs into git
                yield Reason(path, STATES[state])
