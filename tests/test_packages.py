"""`make setup` installs what the pipeline imports, and `make test` the rest."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

OPTIONAL = {"jax", "mlflow", "optuna", "ray", "tensorboardX", "torch"}  # a command or variable asks for each
PARTS = {"pydantic-core": "pydantic", "dvc-data": "dvc"}  # packages that come with another


def imported_packages(folder: str) -> Iterator[tuple[str, Path]]:
    """Yield every top-level package that a folder's modules import, and where."""
    for path in sorted(Path(folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0], path


def normalized(requirement: str) -> str:
    """Return the name in a requirement, as the package index writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_the_run_group_has_what_the_pipeline_imports() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())
    installed = {normalized(name) for name in project["project"]["dependencies"] + project["dependency-groups"]["cpu"]}
    ours = {"pipeline", "stages", "tools"} | OPTIONAL | sys.stdlib_module_names
    distributions = packages_distributions()
    missing = {
        f"{path}: {package}"
        for folder in ("pipeline", "stages", "tools")
        for package, path in imported_packages(folder)
        if package not in ours
        and not any(PARTS.get(name, name) in installed for name in map(normalized, distributions[package]))
    }
    assert missing == set()
