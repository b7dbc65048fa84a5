"""Check whether the committed results belong to the code and the parameters beside them.

No cache is needed: the hashes in the lock files stand for outputs that are absent, as they are in a fresh clone.
"""

import json
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from posixpath import join, normpath
from typing import Any, NamedTuple

from pipeline.dvc_modules import DvcException, ParamsDependency, Repo
from pipeline.io import InputError
from pipeline.programs import Locked, Recorded, dvc, git, is_ignored, read_lock
from pipeline.review.code_changes import MAX_COMMITS, find_code_changes, hash_files, hash_folder, imported_files

STATES = {"new": "is new", "modified": "has changed", "deleted": "is gone"}  # DVC's words
METRICS_SUFFIXES = (".json", ".toml", ".yaml", ".yml")  # what DVC reads metrics from


class Stage(NamedTuple):
    """A stage in the working tree.

    Attributes:
        folder: The folder that its paths begin in.
        follows_inputs: Whether a changed input makes it stale. That is not so for a stage that is frozen, or has
            neither inputs nor outputs.
        deps: The dependencies that it declares.
        outs: The outputs that it declares.
    """

    folder: str
    follows_inputs: bool
    deps: frozenset[str]
    outs: frozenset[str]


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
        """Return the outputs that are `path` or lie in it, with or without those of removed stages.

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
    comments_only: list[str]


def find_stale_results(metrics: Sequence[str] = ()) -> Staleness:
    """Find the stages whose results are not those of the code and parameters beside them, or were edited.

    A file of `metrics`, or in a folder that is one of them, which no stage writes is listed under its own path. A
    pipeline without a lock file has no results that could be stale.
    """
    status = dvc_json("status", "--json")
    stages = list_stages()
    locks = read_locks(stages)
    stale: dict[str, list[Reason]] = {}
    comments_only: set[str] = set()
    for stage in stages:
        if stage in locks.entries:
            stale[stage], paths = find_reasons(stage, locks, status.get(stage, []))
            comments_only.update(paths)
        elif stages[stage].follows_inputs and Path(lock_of(stage)).exists():
            stale[stage] = [Reason(lock_of(stage), "has no results of it")]
    for path in _find_unwritten(metrics, locks):
        stale[path] = [Reason("dvc.yaml", "has no stage that writes it")]
    return Staleness({stage: reasons for stage, reasons in stale.items() if reasons}, sorted(comments_only))


def find_reasons(
    stage: str, locks: Locks, entries: list[Any], skip: Collection[str] = ()
) -> tuple[list[Reason], list[str]]:
    """Find why a stage is stale. A path that lock files or the history of code explain is not left to `dvc status`.

    Args:
        stage: The stage's full name.
        locks: What DVC recorded.
        entries: What `dvc status` says of the stage.
        skip: Dependencies to leave out.

    Returns:
        The reasons, and the dependencies in which nothing that matters to the stage has changed, such as comments.
    """
    locked, declared, changed = locks.entries[stage], locks.stages[stage], changed_dependencies(entries)
    # DVC records another mark than MD5 for an address.
    recorded = {path for path, record in {**locked.deps, **locked.outs}.items() if record.md5 or "://" in path}
    needed = declared.outs | (declared.deps if declared.follows_inputs else set())
    without_hash = sorted(needed - recorded - {*skip})
    reasons = [Reason(path, f"has no hash in {lock_of(stage)}") for path in without_hash]
    explained, comments_only = {*skip, *without_hash}, []
    for path in locked.deps if declared.follows_inputs else ():
        if path in explained or path not in declared.deps:
            continue
        current = _is_current(stage, path, locks, path in changed)
        if current is not None:
            explained.add(path)
            reasons += [] if current else [Reason(path, "was written again since")]
        elif path in changed and find_code_changes(path, locked.deps[path].md5, locks.imports(stage)) == []:
            explained.add(path)
            comments_only.append(path)
    return [*reasons, *_describe_changes(stage, entries, explained)], comments_only


def changed_dependencies(entries: list[Any]) -> dict[str, Any]:
    """Return the files and folders that `dvc status` calls changed, and how; of a file of parameters, by parameter."""
    found = [entry.get("changed deps", {}) for entry in entries if isinstance(entry, dict)]
    return {path: state for paths in found for path, state in paths.items()}


def _describe_changes(stage: str, entries: list[Any], explained: Container[str]) -> Iterator[Reason]:
    """Yield what `dvc status` says of a stage, less the paths `explained` and outputs that are only absent."""
    for entry in entries:
        if isinstance(entry, str):
            if entry != "always changed":  # a stage that every `dvc repro` runs
                yield Reason(entry.removeprefix("changed "), STATES["modified"])  # "changed command"
            continue
        for path, state in entry.get("changed deps", {}).items():
            if isinstance(state, dict):  # parameters
                yield from (Reason(f"{path}: {key}", STATES.get(how, "differs")) for key, how in state.items())
            elif path not in explained:
                yield Reason(path, STATES.get(state, "differs"))
        for path, state in entry.get("changed outs", {}).items():
            if path in explained:
                continue
            if state == "modified":
                yield Reason(path, "was not added again" if stage.endswith(".dvc") else "is not what the stage wrote")
            elif state == "deleted" and not is_ignored(path):  # it belongs into git
                yield Reason(path, STATES[state])


def _find_unwritten(metrics: Sequence[str], locks: Locks) -> Iterator[str]:
    """Yield the metrics files in git that no stage writes."""
    written = {out for stage in locks.stages.keys() & locks.entries for out in locks.entries[stage].outs}
    files = git("--literal-pathspecs", "ls-files", "-z", "--", *metrics).split("\0") if metrics else []
    for path in (Path(file) for file in files if file.endswith(METRICS_SUFFIXES)):
        if path.exists() and written.isdisjoint(map(str, (path, *path.parents))):
            yield str(path)


def list_stages() -> dict[str, Stage]:
    """Return the stages of all pipelines, and the ``.dvc`` files, as DVC names them.

    Raises InputError with DVC's message if it fails.
    """
    try:
        with Repo() as repo:
            return {stage.addressing: _describe_stage(stage) for stage in repo.index.stages}
    except DvcException as error:
        raise InputError(f"dvc: {error}") from error


def _describe_stage(stage: Any) -> Stage:
    folder = relpath(stage.wdir)
    files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    deps, outs = (frozenset(_join(folder, item.def_path) for item in items) for items in (files, stage.outs))
    return Stage(folder, not (stage.frozen or stage.is_callback), deps, outs)


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
    printed = dvc(*arguments)
    try:
        return json.loads(printed)
    except (RecursionError, ValueError) as error:
        raise InputError(f"dvc {' '.join(arguments)}: printed JSON that cannot be read: {error}") from error


def _is_current(stage: str, path: str, locks: Locks, changed: bool) -> bool | None:
    """Return whether a stage read what other stages have written at `path`, as the lock files have it.

    The hash of a folder cannot be computed if it also holds files that no stage writes, or data that is not in git.
    Then its outputs and its files in git must be as they were when the stage read it.

    Args:
        stage: The stage's full name.
        path: One of its dependencies.
        locks: What DVC recorded.
        changed: Whether `dvc status` calls the dependency changed.

    Returns:
        None if lock files have nothing there, so that `dvc status` decides.
    """
    recorded = locks.entries[stage].deps[path]
    outs, all_outs = locks.outputs(path), locks.outputs(path, with_removed=True)
    if path in all_outs:
        return recorded.md5 in [found[path].md5 for found in (outs, all_outs) if path in found]
    if not outs:
        absent = changed and is_ignored(f"{path}/any") and not git("ls-files", "--others", "--", path)
        return _is_as_read(stage, path, locks) if absent else None
    if not any(out.md5.endswith(".dir") for out in all_outs.values()):
        in_git = hash_files(path)
        contents = [
            {file: out.md5 for file, out in found.items()} | extra
            for found in (outs, all_outs)
            for extra in ({}, in_git)
        ]
        if recorded.md5 in (hash_folder(path, content) for content in contents):
            return True
        if recorded.files in map(len, contents):
            return False
    return _is_as_read(stage, path, locks) if changed else True


def _is_as_read(stage: str, path: str, locks: Locks) -> bool | None:
    """Return whether a folder's outputs and its files in git are as they were when the stage read the folder.

    None if no commit has a lock file with the hash that the stage read.
    """
    file, read_at = lock_of(stage), None
    md5 = locks.entries[stage].deps[path].md5
    for commit in git("rev-list", f"--max-count={MAX_COMMITS}", "HEAD", "--", file).split():
        entry = _read_lock(file, locks.stages, commit).get(stage)
        if entry is None or path not in entry.deps or entry.deps[path].md5 != md5:
            break
        read_at = commit
    if read_at is None:
        return None
    then = read_locks(locks.stages, read_at).outputs(path)
    return locks.outputs(path) == then and not git("diff", "--no-ext-diff", "--name-only", read_at, "--", path)


def _read_lock(file: str, stages: Mapping[str, Stage], commit: str | None) -> dict[str, Locked]:
    """Read a lock file: its stages by their full names, with paths relative to the working directory."""
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
