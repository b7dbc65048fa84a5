"""The code that ``dvc.yaml`` declares for a stage is the code that the stage imports, no more and no less."""

import ast
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from pipeline.params.options import architectures

STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"]
GRAPH = grimp.build_graph("pipeline", "stages", cache_dir=None)
THE_ARCHITECTURE = "pipeline/architectures/${item.architecture}.py"


def script_of(stage: str) -> str:
    """The script that a stage runs: ``python -m stages.SCRIPT``."""
    _, _, module, *_ = STAGES[stage].get("do", STAGES[stage])["cmd"].split()
    return str(module.removeprefix("stages."))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_what_it_imports(stage: str) -> None:
    definition = STAGES[stage].get("do", STAGES[stage])
    declared = [path for path in definition["deps"] if path.endswith(".py")]
    script = script_of(stage)
    imported = {f"stages.{script}"} | GRAPH.find_upstream_modules(f"stages.{script}")
    # The schema can refuse but not change a value, so that it cannot change a result.
    expected = {f"{name.replace('.', '/')}.py" for name in imported if not name.startswith("pipeline.params")}
    if script in ("train", "distill"):
        expected.add(THE_ARCHITECTURE)  # imported by name, as the catalogue does
    assert sorted(declared) == sorted(expected)


def test_there_is_a_stage_for_each_script() -> None:
    assert set(map(script_of, STAGES)) == {path.stem for path in Path("stages").glob("*.py")}


@pytest.mark.parametrize("path", sorted(Path("pipeline").rglob("__init__.py")), ids=str)
def test_packages_hold_nothing_but_a_docstring(path: Path) -> None:
    (statement,) = ast.parse(path.read_text()).body  # importing a module runs these too, undeclared
    assert isinstance(statement, ast.Expr)


@pytest.mark.parametrize("name", architectures())
def test_an_architecture_imports_nothing_of_ours(name: str) -> None:
    assert GRAPH.find_modules_directly_imported_by(f"pipeline.architectures.{name}") == set()


@pytest.mark.parametrize("name", architectures())
def test_an_architecture_shows_its_parameters_counted_by_hand(name: str) -> None:
    tree = ast.parse(Path(f"pipeline/architectures/{name}.py").read_text())
    (build,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    assert ">>>" in (ast.get_docstring(build) or "")  # pytest runs it
    assert "count_params()" in (ast.get_docstring(build) or "")
