"""``dvc.lock``: the hashes of what each stage read and wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree
from ruamel.yaml import YAML


class Locked(NamedTuple):
    """MD5 by path of what a stage read and what it wrote."""

    deps: dict[str, str]
    outs: dict[str, str]


def read_lock(path: Path = Path("dvc.lock")) -> dict[str, Locked]:
    """Read the stages of a lock that DVC has checked; without a file there are none."""
    stages = YAML(typ="safe").load(path)["stages"] if path.exists() else {}
    return {
        name: Locked(*({item["path"]: item["md5"] for item in stage.get(kind, [])} for kind in ("deps", "outs")))
        for name, stage in stages.items()
    }


def hash_of(path: str, outs: Mapping[str, str]) -> str | None:
    """The MD5 that DVC gives `path` when it holds what `outs` says: an output, or a folder of several.

    None if no output lies there.
    """
    if path in outs:
        return outs[path]
    folder = Tree()  # type: ignore[no-untyped-call]
    for out, md5 in outs.items():
        if out.startswith(f"{path}/"):
            folder.add(tuple(out.removeprefix(f"{path}/").split("/")), Meta(), HashInfo("md5", md5))
    if not len(folder):
        return None
    folder.digest()
    return str(folder.hash_info.value)
