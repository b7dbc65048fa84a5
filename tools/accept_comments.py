"""Tell DVC that results stay valid after an edit of comments, formatting or docstrings: `make accept-comments`.

Each changed code dependency is compared with the version that gave the results. If nothing else has changed, the lock
files are updated without running a stage. If something has, nothing is done, and the exit status is 2.
"""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.io import InputError, run
from pipeline.programs import dvc
from pipeline.review.code_changes import find_code_changes, list_files
from pipeline.review.staleness import Locks, describe_changes, list_stages, read_locks


def main() -> None:
    """Accept the changes, or name those that can change a result.

    Raises InputError for such a change, and for code whose earlier version is in no commit.
    """
    status: dict[str, list[Any]] = json.loads(dvc("status", "--json"))
    stages = list_stages()
    now, committed = (read_locks(stages, commit) for commit in (None, "HEAD"))
    accepted, left = [], []
    refused: dict[str, str] = {}  # an example of a stage by what changed
    for stage, entries in status.items():
        if stage not in now.entries:
            continue  # was never run
        code = {path for path in _changed(entries) if any(file.endswith(".py") for file in list_files(path))}
        for path in sorted(code):
            refused = dict.fromkeys(_changes(stage, path, now, committed), stage) | refused
        others = list(describe_changes(stage, entries, code))
        if code and not others and not _lacks_output(entries):
            accepted.append(stage)
        elif code:
            reasons = ", ".join(f"{reason.subject} {reason.state}" for reason in others) or "outputs are absent"
            left.append(f"{stage}: {reasons}")
    if refused:
        raise InputError(
            "these changes can change results, so nothing was accepted; run `dvc repro`, "
            "or `dvc repro --single-item STAGE` for these stages and try again\n"
            + "\n".join(f"  {change} (for example {stage})" for change, stage in refused.items())
        )
    if accepted:
        dvc("commit", "--force", *accepted)
    print(f"accepted for {len(accepted)} stages; commit dvc.lock" if accepted else "nothing to accept")
    for line in left:
        print(f"left for dvc repro: {line}")


def _changed(entries: list[Any]) -> list[str]:
    """Return the files and folders that a stage read and that DVC finds changed."""
    found = [entry["changed deps"] for entry in entries if "changed deps" in entry]
    return [path for deps in found for path, state in deps.items() if isinstance(state, str)]


def _lacks_output(entries: list[Any]) -> bool:
    return any("deleted" in entry["changed outs"].values() for entry in entries if "changed outs" in entry)


def _changes(stage: str, path: str, now: Locks, committed: Locks) -> Iterator[str]:
    """Yield what has changed in the code at `path` since the version that gave the stage's results."""
    for locks in (now, committed):  # committed: where comments were accepted, and edited again before a commit
        entry = locks.entries.get(stage)
        if entry and path in entry.deps and entry.outs == now.entries[stage].outs:
            changes = find_code_changes(path, entry.deps[path].md5)
            if changes is not None:
                yield from changes
                return
    yield f"{path}: no commit has the version that gave the results"


if __name__ == "__main__":
    run(main)
