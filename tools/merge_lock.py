"""Merge ``dvc.lock`` by stage: git's merge driver ``merge_lock.py BASE OURS THEIRS``, which `make merge-driver` sets.

What one side changed is taken from it. A stage that both changed, each in its own way, is left out, for neither result
is one of the merged code, and git is told of a conflict: `dvc repro` makes the stage again, or takes it from the cache.
"""

import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Stages = dict[str, Any]  # the entries of a lock file by the name of their stage


def merge(base: Stages, ours: Stages, theirs: Stages) -> tuple[Stages, list[str]]:
    """Give the merged entries, and the names of the stages that are left out."""
    merged = {}
    left_out = []
    for name in ours | theirs:
        old, mine, other = (side.get(name) for side in (base, ours, theirs))
        if mine not in (old, other) and other != old:
            left_out.append(name)
        elif entry := other if mine == old else mine:
            merged[name] = entry
    return merged, left_out


def main(base: str, ours: str, theirs: str) -> int:
    """Write the merged file over `ours`, as git wants it; gives git's exit status, 1 where a stage is left out."""
    parser = YAML()
    try:
        sides = [parser.load(Path(file)) or {} for file in (base, ours, theirs)]
    except YAMLError as error:
        sys.exit(f"dvc.lock: {error}")
    stages, left_out = merge(*(side.get("stages", {}) for side in sides))
    parser.dump({"schema": "2.0", "stages": stages}, Path(ours))
    if left_out:
        print(f"dvc.lock: changed on both sides and left out, for dvc repro: {', '.join(left_out)}", file=sys.stderr)
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
