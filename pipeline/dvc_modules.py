"""Import the inner modules of DVC that the project uses, here alone: a new version of DVC may move them."""

from dvc.api import DVCFileSystem
from dvc.config import Config
from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

__all__ = [
    "Config",
    "DVCFileSystem",
    "DvcException",
    "HashInfo",
    "Meta",
    "ParamsDependency",
    "Repo",
    "Tree",
    "modify_yaml",
]
