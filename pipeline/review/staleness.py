"""Check whether the committed results belong to the code and the parameters beside them.

No cache is needed: the hashes in the lock files stand for outputs that are absent, as they are in a fresh clone.
"""

import json
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from posixpath import join, normpath
from typing import Any, NamedTuple

from pipeline.dvc_modules import DvcException, Repo
from pipeline.io import InputError
from pipeline.programs import Locked, Recorded, dvc, git, is_ignored, read_lock
from pipeline.review.code_changes import (
    COMMITS,
    find_code_changes,
    hash_files,
    hash_folder,
    imported_files,
    list_files,
)

STATES = {"new": "is new", "modified": "has changed", "deleted": "is gone"}  # DVC's words
FITS, REWORDED = "fits", "has other comments"
METRICS = (".json", ".toml", ".yaml", ".yml")  # what DVC reads metrics from


class Stage(NamedTuple):
    """A stage in the working tree: the folder that its paths begin in, and whether a changed input makes it stale.

    It does not for a stage that is frozen, nor for one that has neither inputs nor outputs.
    """

    folder: str
    has_inputs: bool


class Reason(NamedTuple):
    """A reason why a stage is stale: the subject, such as a file, and its state."""

    subject: str
    state: str


@dataclass(frozen=True)
class Locks:
    """The records of DVC for each stage, and for each ``.dvc`` file, by the stage's full name."""

    entries: Mapping[str, Locked]
    stages: Mapping[str, Stage]  # those that a dvc.yaml still has

    def outputs(self, path: str, with_removed: bool = False) -> dict[str, Recorded]:
        """Return the outputs that are `path` or lie in it, those of removed stages too if wanted.

        DVC leaves the files of a removed stage where they are, and counts them in a folder.
        """
        return {
            out: recorded
            for stage, locked in self.entries.items()
            if with_removed or stage in self.stages
            for out, recorded in locked.outs.items()
            if out == path or out.startswith(f"{path}/")
        }

    def imports(self, stage: str) -> frozenset[str] | None:
        """Return the Python files that a stage imports, None if that is unknown."""
        return imported_files(self.entries[stage].command, self.stages[stage].folder)


class Staleness(NamedTuple):
    """Stages with the reasons why their results are stale, and changed code on which no result depends."""

    stale: dict[str, list[Reason]]
    reworded: list[str]


def find_stale_results(metrics: Sequence[str] = ()) -> Staleness:
    """Find the stages whose results are not those of the code and parameters beside them, or were edited.

    A file of `metrics`, or in a folder that is one of them, which no stage writes is listed under its own path. A
    pipeline without a lock file has no results that could be stale.
    """
    status = dvc_json("status", "--json")
    stages = list_stages()
    locks = read_locks(stages)
    stale: dict[str, list[Reason]] = defaultdict(list)
    reworded: set[str] = set()
    for stage, (_, has_inputs) in stages.items():
        if not Path(lock_of(stage)).exists():
            continue
        if stage not in locks.entries:
            if has_inputs:
                stale[stage].append(Reason(lock_of(stage), "has no results of it"))
            continue
        entries = status.get(stage, [])
        verdicts = _find_unfit_paths(stage, locks)
        if has_inputs:
            verdicts |= judge_dependencies(stage, locks, entries, verdicts)
        stale[stage] += [Reason(path, verdict) for path, verdict in verdicts.items() if verdict not in (FITS, REWORDED)]
        stale[stage] += describe_changes(stage, entries, verdicts)
        reworded.update(path for path, verdict in verdicts.items() if verdict == REWORDED)
    written = {out for stage in locks.stages.keys() & locks.entries for out in locks.entries[stage].outs}
    files = git("--literal-pathspecs", "ls-files", "-z", "--", *metrics).split("\0") if metrics else []
    for path in (Path(file) for file in files if file.endswith(METRICS)):
        if path.exists() and written.isdisjoint(map(str, (path, *path.parents))):
            stale[str(path)].append(Reason("dvc.yaml", "has no stage that writes it"))
    return Staleness({stage: reasons for stage, reasons in stale.items() if reasons}, sorted(reworded))


def describe_changes(stage: str, entries: list[Any], judged: Container[str] = ()) -> Iterator[Reason]:
    """Yield what `dvc status` found of a stage, less the dependencies `judged` and what is only absent."""
    for entry in entries:
        if isinstance(entry, str):
            if entry != "always changed":  # a stage that every `dvc repro` runs
                yield Reason(entry.removeprefix("changed "), STATES["modified"])  # "changed command"
            continue
        for path, state in entry.get("changed deps", {}).items():
            if isinstance(state, dict):
                yield from (Reason(f"{path}: {key}", STATES.get(how, "differs")) for key, how in state.items())
            elif path not in judged:
                yield Reason(path, STATES.get(state, "differs"))
        for path, state in entry.get("changed outs", {}).items():
            if state == "modified":
                yield Reason(path, "is not what the stage wrote" if stage != lock_of(stage) else "was not added again")
            elif state == "deleted" and not is_ignored(path):  # it belongs into git
                yield Reason(path, STATES[state])


def list_stages() -> dict[str, Stage]:
    """Return the stages of all pipelines, and the ``.dvc`` files, as DVC names them.

    Raises InputError with DVC's message if it fails.
    """
    try:
        with Repo() as repo:
            return {
                stage.addressing: Stage(relpath(stage.wdir), not (stage.frozen or stage.is_callback))
                for stage in repo.index.stages
            }
    except DvcException as error:
        raise InputError(f"dvc: {error}") from error


def lock_of(stage: str) -> str:
    """Return the file that records a stage's results.

    >>> lock_of("train@cnn1"), lock_of("frontier/dvc.yaml:train@wide"), lock_of("data/local/train.dvc")
    ('dvc.lock', 'frontier/dvc.lock', 'data/local/train.dvc')
    """
    if stage.endswith(".dvc"):
        return stage
    return str(Path(stage.rpartition(":")[0] or "dvc.yaml").with_suffix(".lock"))


def read_locks(stages: Mapping[str, Stage], commit: str | None = None) -> Locks:
    """Read what the lock files of all these stages record, in the working tree or in a commit.

    Raises InputError for a file that is no lock file.
    """
    entries: dict[str, Locked] = {}
    for file in {lock_of(stage) for stage in stages}:
        entries |= _read_lock(file, stages, commit)
    return Locks(entries, stages)


def dvc_json(*arguments: str) -> Any:
    """Run DVC and read the JSON that it prints.

    Raises InputError for JSON that Python does not read, such as a number of thousands of digits.
    """
    try:
        return json.loads(dvc(*arguments))
    except (RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"dvc {' '.join(arguments)}: printed JSON that cannot be read: {error}") from error


def _find_unfit_paths(stage: str, locks: Locks) -> dict[str, str]:
    """Return the paths for which the lock file has no hash, with that as the reason; an address has another mark."""
    locked = locks.entries[stage]
    recorded = [*locked.deps.items(), *locked.outs.items()]
    paths = [path for path, (md5, _) in recorded if not md5 and "://" not in path]
    return dict.fromkeys(paths, f"has no hash in {lock_of(stage)}")


def judge_dependencies(stage: str, locks: Locks, entries: list[Any], unfit: Container[str]) -> dict[str, str]:
    """Judge the dependencies of a stage by the lock files and by the history of code.

    Args:
        stage: The stage's full name.
        locks: What DVC recorded.
        entries: What `dvc status` says of the stage.
        unfit: Paths to leave out.

    Returns:
        By path `FITS`, `REWORDED` or why it is stale. Paths for which DVC's own word decides are left out.
    """
    changed = {path for entry in entries if isinstance(entry, dict) for path in entry.get("changed deps", {})}
    verdicts = {}
    for path, recorded in locks.entries[stage].deps.items():
        if path in unfit:
            continue
        current = _is_current(stage, path, locks, path in changed)
        if current is not None:
            verdicts[path] = FITS if current else "was written again since"
        elif path in changed and find_code_changes(path, recorded.md5, locks.imports(stage)) == []:
            verdicts[path] = REWORDED
    return verdicts


def _is_current(stage: str, path: str, locks: Locks, changed: bool) -> bool | None:
    """Return whether the stage read what other stages wrote last, as the lock files have it.

    None if they have nothing there: then `changed`, what DVC says of the files themselves, decides.

    The hash of a folder cannot be computed where the folder holds more than the known outputs: files that no stage
    writes, or data that is not in git. Then its outputs and its files in git must be as they were when it was read.
    """
    recorded = locks.entries[stage].deps[path]
    outs, all_outs = locks.outputs(path), locks.outputs(path, with_removed=True)
    if path in all_outs:
        return recorded in (outs.get(path), all_outs[path]) or recorded.md5 == all_outs[path].md5
    if not outs:
        absent = changed and is_ignored(f"{path}/any") and not git("ls-files", "--others", "--", path)
        return _is_unchanged(stage, path, locks) if absent else None
    if not any(out.md5.endswith(".dir") for out in all_outs.values()):
        in_git = hash_files(list_files(path))
        contents = [
            {file: out.md5 for file, out in found.items()} | extra
            for found in (outs, all_outs)
            for extra in ({}, in_git)
        ]
        if recorded.md5 in (hash_folder(path, content) for content in contents):
            return True
        if recorded.files in map(len, contents):
            return False
    return _is_unchanged(stage, path, locks) if changed else True


def _is_unchanged(stage: str, path: str, locks: Locks) -> bool | None:
    """Return whether the folder's outputs and its files in git are as they were when the stage read the folder.

    None if no commit has a lock file with that hash.
    """
    file, read_at = lock_of(stage), None
    md5 = locks.entries[stage].deps[path].md5
    for commit in git("rev-list", f"--max-count={COMMITS}", "HEAD", "--", file).split():
        entry = _read_lock(file, locks.stages, commit).get(stage)
        if entry is None or path not in entry.deps or entry.deps[path].md5 != md5:
            break
        read_at = commit
    if read_at is None:
        return None
    then = read_locks(locks.stages, read_at).outputs(path)
    return locks.outputs(path) == then and not git("diff", "--no-ext-diff", "--name-only", read_at, "--", path)


def _read_lock(file: str, stages: Mapping[str, Stage], commit: str | None) -> dict[str, Locked]:
    """Read a lock file by the full names of its stages, with paths from this folder."""
    folder, _, name = file.rpartition("/")
    folders = {stage: entry.folder for stage, entry in stages.items() if lock_of(stage) == file}
    usual = next(iter(folders.values()), folder)  # of a stage that is gone
    prefix = f"{folder}/{Path(name).with_suffix('.yaml')}:" if folder and not name.endswith(".dvc") else ""
    entries = {}
    for stage, locked in read_lock(Path(file), commit).items():
        place = folders.get(f"{prefix}{stage}", usual)
        deps, outs = ({_join(place, path): files[path] for path in files} for files in (locked.deps, locked.outs))
        entries[f"{prefix}{stage}"] = locked._replace(deps=deps, outs=outs)
    return entries


def _join(folder: str, path: str) -> str:
    return path if "://" in path else normpath(join(folder, path))
