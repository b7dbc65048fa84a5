"""The code that a stage imports lies in the files and folders that ``dvc.yaml`` declares for it."""

import ast
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from pipeline.config_models import architectures

FILES = ["dvc.yaml", "frontier/dvc.yaml"]
STAGES: list[tuple[str, dict[str, Any]]] = [
    (f"{path}:{name}", stage.get("do", stage))
    for path in FILES
    for name, stage in YAML(typ="safe", pure=True).load(Path(path))["stages"].items()
]
GRAPH = grimp.build_graph("pipeline", "stages", cache_dir=None)
# The schema can refuse but not change a value, so that it cannot change a result.
UNDECLARED = {f"pipeline.config{part}" for part in ("", "_base", "_data", "_models")}


def path_of(module: str) -> str:
    """The file of a module; of a package, which has a docstring alone, its folder."""
    path = Path(module.replace(".", "/"))
    return str(path) if path.is_dir() else f"{path}.py"


def script_of(stage: dict[str, Any]) -> str:
    """The module that a stage runs: ``python -m stages.SCRIPT``."""
    return str(stage["cmd"].split()[2])


@pytest.mark.parametrize("stage", [stage for _, stage in STAGES], ids=[name for name, _ in STAGES])
def test_a_stage_declares_what_it_imports(stage: dict[str, Any]) -> None:
    script = script_of(stage)
    imported = {script} | GRAPH.find_upstream_modules(script) - UNDECLARED
    code = {path_of(module) for module in imported if GRAPH.find_children(module) == set()}
    declared = [path for path in stage["deps"] if path.startswith(("pipeline/", "stages/")) and "${" not in path]
    assert {path for path in code if not any(Path(path).is_relative_to(place) for place in declared)} == set()
    # Nothing is declared that is not imported.
    assert {place for place in declared if not any(Path(path).is_relative_to(place) for path in code)} == set()


def test_there_is_a_stage_for_each_script() -> None:
    assert {script_of(stage) for _, stage in STAGES} == {f"stages.{path.stem}" for path in Path("stages").glob("*.py")}


def test_pipelines_write_to_different_folders() -> None:
    def outputs(path: str) -> list[str]:
        outs = [out for name, stage in STAGES if name.startswith(f"{path}:") for out in stage.get("outs", [])]
        return [next(iter(out)) if isinstance(out, dict) else out for out in outs]

    deps = {dep for name, stage in STAGES if name.startswith("dvc.yaml:") for dep in stage["deps"]}
    assert not [out for out in outputs("frontier/dvc.yaml") if any(Path(out).is_relative_to(dep) for dep in deps)]


@pytest.mark.parametrize("path", sorted(Path("pipeline").rglob("__init__.py")), ids=str)
def test_packages_hold_nothing_but_a_docstring(path: Path) -> None:
    (statement,) = ast.parse(path.read_text()).body  # importing a module runs these too, undeclared
    assert isinstance(statement, ast.Expr)


@pytest.mark.parametrize("name", architectures())
def test_an_architecture_imports_nothing_of_ours(name: str) -> None:
    assert GRAPH.find_modules_directly_imported_by(f"pipeline.architectures.{name}") == set()


@pytest.mark.parametrize("name", architectures())
def test_an_architecture_counts_its_parameters_by_hand(name: str) -> None:
    tree = ast.parse(Path(f"pipeline/architectures/{name}.py").read_text())
    (build,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    assert ">>>" in (ast.get_docstring(build) or "")  # pytest runs it
    assert "count_params()" in (ast.get_docstring(build) or "")
