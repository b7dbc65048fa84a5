"""Merge a ``dvc.lock`` by stage, as git's merge driver ``merge_lock.py BASE OURS THEIRS PATH`` (`make merge-driver`).

A stage that one side changed is taken from that side. A stage that both changed differently is left out, as neither
result is that of the merged code, and git reports a conflict: `dvc repro` makes the stage again, or takes it from the
cache.
"""

import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Stages = dict[str, Any]  # the entries of a lock file by stage


def merge(base: Stages, ours: Stages, theirs: Stages) -> tuple[Stages, list[str]]:
    """Merge the entries of two sides that have `base` in common.

    Args:
        base: The entries of the common ancestor.
        ours: The entries of the current branch.
        theirs: The entries of the branch to merge.

    Returns:
        The merged entries, and the stages that are left out because both sides changed them differently.
    """
    merged = {}
    left_out = []
    for name in ours | theirs:
        old, mine, other = (side.get(name) for side in (base, ours, theirs))
        if mine not in (old, other) and other != old:
            left_out.append(name)
        elif entry := other if mine == old else mine:
            merged[name] = entry
    return merged, left_out


def main(base: str, ours: str, theirs: str, path: str = "dvc.lock") -> int:
    """Write the merged file over `ours`, as git expects.

    Args:
        base: The file of the common ancestor, which may be empty.
        ours: The file of the current branch.
        theirs: The file of the branch to merge.
        path: The file's name in the repository, for messages.

    Returns:
        The exit status for git: 1 if a stage is left out, else 0.
    """
    parser = YAML()
    try:
        sides = [parser.load(Path(file)) or {} for file in (base, ours, theirs)]
        stages, left_out = merge(*(side.get("stages") or {} for side in sides))
    except (AttributeError, RecursionError, TypeError, ValueError, YAMLError) as error:
        sys.exit(f"{path}: expected a lock file of DVC's on all sides, found: {error}")
    parser.dump({"schema": "2.0", "stages": stages}, Path(ours))
    if left_out:
        print(f"{path}: changed on both sides and left out, for dvc repro: {', '.join(left_out)}", file=sys.stderr)
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
