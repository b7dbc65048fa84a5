"""Tell DVC that results stay valid after an edit that cannot change them: `make accept-comments`.

Each changed code dependency is compared with the version that gave the results. Comments, formatting, docstrings and
modules that a stage does not import do not count. If nothing else has changed, the lock files are updated without
running a stage, also where outputs are in no cache. If something has, nothing is done, and the exit status is 2.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from posixpath import join, normpath
from typing import Any

from pipeline.dvc_modules import modify_yaml
from pipeline.io import InputError, run
from pipeline.programs import git
from pipeline.review.code_changes import find_code_changes, hash_files, hash_folder, list_files
from pipeline.review.staleness import (
    Locks,
    changed_dependencies,
    dvc_json,
    find_reasons,
    list_stages,
    lock_of,
    read_locks,
)


def main() -> None:
    """Accept the changes, or name those that can change a result.

    Raises InputError for such a change, and for code whose earlier version is in no commit.
    """
    status: dict[str, list[Any]] = dvc_json("status", "--json")
    stages = list_stages()
    now, committed = (read_locks(stages, commit) for commit in (None, git("rev-parse", "HEAD").strip()))
    accepted: dict[str, set[str]] = {}  # changed code by stage
    left = []
    refused: dict[str, str] = {}  # an example of a stage by what changed
    for stage, entries in status.items():
        if stage not in now.entries:
            continue  # was never run
        changed = [path for path, state in changed_dependencies(entries).items() if isinstance(state, str)]
        code = {path for path in changed if any(file.endswith(".py") for file in list_files(path))}
        for path in sorted(code):
            refused = dict.fromkeys(_changes(stage, path, now, committed), stage) | refused
        if code:
            reasons, _ = find_reasons(stage, now, entries, code)
            if reasons:
                left.append(f"{stage}: {', '.join(f'{path} {state}' for path, state in reasons)}")
            else:
                accepted[stage] = code
    if refused:
        raise InputError(
            "these changes can change results, so nothing was accepted; run `dvc repro`, "
            "or `dvc repro --single-item STAGE` for these stages and try again\n"
            + "\n".join(f"  {change} (for example {stage})" for change, stage in refused.items())
        )
    _accept(accepted, {stage: stages[stage].folder for stage in accepted})
    print(f"accepted for {len(accepted)} stages; commit dvc.lock" if accepted else "nothing to accept")
    for line in left:
        print(f"left for dvc repro: {line}")


def _changes(stage: str, path: str, now: Locks, committed: Locks) -> Iterator[str]:
    """Yield what has changed in the code at `path` since the version that gave the stage's results."""
    for locks in (now, committed):  # committed: where comments were accepted, and edited again before a commit
        entry = locks.entries.get(stage)
        if entry and path in entry.deps and entry.outs == now.entries[stage].outs:
            changes = find_code_changes(path, entry.deps[path].md5, now.imports(stage))
            if changes is not None:
                yield from changes
                return
    yield f"{path}: no commit has the version that gave the results"


def _accept(accepted: Mapping[str, Collection[str]], folders: Mapping[str, str]) -> None:
    """Write the hashes of changed code into the lock files. `dvc commit` would refuse where outputs are absent.

    Args:
        accepted: Files and folders by the full name of the stage.
        folders: The folder that a stage's paths begin in.
    """
    by_lock: dict[str, list[str]] = defaultdict(list)
    for stage in accepted:
        by_lock[lock_of(stage)].append(stage)
    recorded = {path: _record(path) for path in set().union(*accepted.values())}
    for lock, stages in by_lock.items():
        with modify_yaml(lock) as content:
            for stage in stages:
                for dep in content["stages"][stage.rpartition(":")[2]]["deps"]:
                    dep.update(recorded.get(normpath(join(folders[stage], dep["path"])), {}))


def _record(path: str) -> dict[str, str | int]:
    """Return what DVC records of a file or folder."""
    files = hash_files(path)
    size = sum(Path(file).stat().st_size for file in files)
    if path in files:
        return {"md5": files[path], "size": size}
    return {"md5": hash_folder(path, files), "size": size, "nfiles": len(files)}


if __name__ == "__main__":
    run(main)
