"""Tell edits of code that can change a result from edits of comments, formatting and docstrings.

The code of a result is found in git by the hash that ``dvc.lock`` records for it. So it does not matter which commit
wrote the lock, or whether the working tree has changed since.
"""

import ast
import re
from collections.abc import Container, Iterator, Mapping
from functools import cache
from pathlib import Path

from pipeline.dvc_modules import HashInfo, Meta, Tree
from pipeline.io import InputError
from pipeline.programs import git, git_bytes, md5

MAX_COMMITS = 100  # how far back a version of the code is searched
MODULE = re.compile(r"python3? -m ([\w.]+)(?: .*)?")  # a command whose imports are known
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def find_code_changes(path: str, recorded: str, imported: Container[str] | None = None) -> list[str] | None:
    """Compare a dependency that git tracks with its version of hash `recorded`.

    Args:
        path: A file, or a folder that stands for its files.
        recorded: The hash that ``dvc.lock`` records for it.
        imported: The modules that a stage imports. Of a folder, no other module counts. None counts all.

    Returns:
        What changed, such as ``pipeline/io.py: write_json``, less comments, formatting and docstrings of Python files.
        None if no commit has that version.
    """
    blobs = _find_version(path, recorded)
    if blobs is None:
        return None
    present = {file: Path(file).read_bytes() for file in list_files(path)}
    changes = []
    for file in sorted(blobs | present):
        if file != path and file.endswith(".py") and imported is not None and file not in imported:
            continue
        if file not in present:
            changes.append(f"{file}: the file is gone")
        elif file not in blobs:
            changes.append(f"{file}: the file is new")
        elif file.endswith(".py"):
            changes += [f"{file}: {name}" for name in changed_definitions(_read_blob(blobs[file]), present[file])]
        elif _read_blob(blobs[file]) != present[file]:
            changes.append(f"{file}: the file has changed (not Python, so every change counts)")
    return changes


def imported_files(command: str, folder: str) -> frozenset[str] | None:
    """Return the Python files that a stage imports, directly or through others, if its command is ``python -m MODULE``.

    Imports inside functions count. What code imports by a name that it computes does not: such a file has to be a
    dependency of its own. If all these files are as they were, so are their imports.

    Args:
        command: The stage's command.
        folder: The folder that it runs in.

    Returns:
        Paths, or None for another command, or a file that is no Python.
    """
    match = MODULE.fullmatch(command)
    return _find_imports(match[1], folder) if match else None


@cache
def _find_imports(module: str, folder: str) -> frozenset[str] | None:
    found: set[Path] = set()
    waiting = [module, f"{module}.__main__"]
    try:
        while waiting:
            parts = waiting.pop().split(".")
            packages = [Path(folder, *parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
            for path in [*packages, Path(folder, *parts).with_suffix(".py")]:
                if path not in found and path.is_file():
                    found.add(path)
                    package = path.relative_to(folder).parent.parts
                    for node in ast.walk(ast.parse(path.read_bytes())):
                        waiting += _imported_names(node, package)
    except (MemoryError, RecursionError, SyntaxError, ValueError):
        return None
    return frozenset(map(str, found)) or None


def _imported_names(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """Return the full names that a statement may import: ``from a import b`` may mean the module ``a.b``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    parts = [*package[: len(package) - node.level + 1]] if node.level else []
    base = ".".join([*parts, *filter(None, [node.module])])
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def changed_definitions(old: bytes | str, new: bytes | str) -> list[str]:
    r"""Return the names of what differs between two versions of a module, besides comments, formatting and docstrings.

    >>> changed_definitions("A = 1\ndef f(): 'Old.'", "def f():  # now\n    'New.'\nA = 1")
    ['the order of its statements']
    >>> changed_definitions("class A:\n    def f(self): return 1", "class A:\n    def f(self): return 2")
    ['A.f']
    """
    try:
        before, after = (_parse(text) for text in (old, new))
        if ast.dump(before) == ast.dump(after):
            return []
        first, second = (dict(_definitions(tree.body)) for tree in (before, after))
    except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
        return [f"no Python that can be compared ({error})"]
    return [name for name in first | second if first.get(name) != second.get(name)] or ["the order of its statements"]


def hash_folder(path: str, files: Mapping[str, str]) -> str:
    """Return the MD5 that DVC gives a folder, from the MD5 of each of its files, by path."""
    tree = Tree()  # type: ignore[no-untyped-call]
    for file, value in files.items():
        tree.add(tuple(file.removeprefix(f"{path}/").split("/")), Meta(), HashInfo("md5", value))
    tree.digest()
    return str(tree.hash_info.value)


def hash_files(path: str) -> dict[str, str]:
    """Return the MD5 of each file of `list_files`."""
    return {file: md5(Path(file)) for file in list_files(path)}


def list_files(path: str) -> list[str]:
    """Return the files in the working tree at `path` or below it that git tracks or does not ignore."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", path)
    return sorted({file for file in listed.split("\0") if file and Path(file).is_file()})


@cache
def _find_version(path: str, wanted: str) -> dict[str, str] | None:
    """Return git's object of each file at `path` in the newest commit where DVC's hash is `wanted`, if there is one."""
    for commit in git("rev-list", f"--max-count={MAX_COMMITS}", "HEAD", "--", path).split():
        blobs = _list_blobs(commit, path)
        hashes = {file: md5(_read_blob(name)) for file, name in blobs.items()}
        found = hashes[path] if path in hashes else hash_folder(path, hashes)
        if found == wanted:
            return blobs
    return None


def _list_blobs(commit: str, path: str) -> dict[str, str]:
    entries = git("ls-tree", "-r", "-z", commit, "--", path).split("\0")
    return {entry.partition("\t")[2]: entry.split()[2] for entry in entries if entry}


@cache
def _read_blob(name: str) -> bytes:
    try:
        return git_bytes("cat-file", "blob", name)
    except InputError:  # a submodule, or an object that a partial clone lacks
        return b""


def _parse(text: bytes | str) -> ast.Module:
    """Parse a module without its docstrings, unless it uses them."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    words = {getattr(node, field, None) for node in nodes for field in ("id", "attr", "value") if field in node._fields}
    if {"__doc__", "getdoc"} & words:
        return tree
    for node in nodes:
        if isinstance(node, (ast.Module, *DEFINITIONS)) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


def _definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield name and content of each function, class, method and constant, and of the other statements as one."""
    found: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, f"{prefix}{node.name}.")
            node.body = []  # its members have names of their own
        found.setdefault(f"{prefix}{_statement_name(node)}", []).append(ast.dump(node))
    yield from found.items()


def _statement_name(node: ast.stmt) -> str:
    if isinstance(node, DEFINITIONS):
        return node.name
    if isinstance(node, ast.Assign):
        return ", ".join(map(ast.unparse, node.targets))
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return ast.unparse(node.target)
    return "imports" if isinstance(node, ast.Import | ast.ImportFrom) else "other statements"
