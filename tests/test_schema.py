"""The JSON Schemas with which editors check the parameter files say what the pipeline itself says."""

import json
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import modify_yaml
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from pipeline.config import PARAMS
from pipeline.config_models import Recipe
from pipeline.schema import SCHEMAS, json_schema, run_schema

FILES = [PARAMS, Path("frontier/params.yaml"), *sorted(Path("configs").glob("*.yaml"))]
MISTAKES: list[tuple[str, str, Any]] = [
    ("model", "model", "Dense-128"),
    ("published", "published", "articles.yaml"),
    ("data.format", "data", "png"),
    ("data.sources.0", "data", {"floppy": "a"}),
    ("data.idx.transposed", "data", 0),
    ("splits.standard.sed", "splits.standard", 0),
    ("recipes.plain.flip", "recipes.plain.flip", "vertical"),
    ("recipes.plain.lr_schedule", "recipes.plain.lr_schedule", {"warmup": 0.1}),
    ("models.Dense-128", "models", {}),
    ("models.mlp.epochs", "models.mlp", True),
    ("models.mlp.architecture", "models.mlp", "mlpp"),
    ("models.mlp.unitz", "models.mlp", 64),
    ("models.mlp.optimizer.learning_rate", "models.mlp", -0.1),
    ("models.single_layer.batch_size", "models.single_layer", "all"),
]


def named_schema(path: Path) -> Path:
    """The schema that the first line of a parameter file names, as editors find it."""
    prefix, name = path.read_text().splitlines()[0].split("=")
    assert prefix == "# yaml-language-server: $schema"
    return path.parent / name


def mistakes(schema: Path, values: Any) -> list[str]:
    """The keys whose values do not fit, joined by dots."""
    validator = Draft202012Validator(json.loads(schema.read_text()))
    return [".".join(map(str, error.path)) for error in validator.iter_errors(values)]


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


@pytest.mark.parametrize("path", SCHEMAS, ids=str)
def test_schemas_are_those_that_the_command_writes(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))
    assert path.read_text() == json_schema(SCHEMAS[path]), "run `python -m pipeline schema`"


def test_the_command_writes_beside_parameter_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").touch()
    run_schema(Namespace())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.schema.json", "params.yaml"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_parameter_file_fits_the_schema_that_it_names(path: Path) -> None:
    assert mistakes(named_schema(path), load(path)) == []


@pytest.mark.parametrize(("key", "place", "value"), MISTAKES, ids=[f"{key}={value}" for key, _, value in MISTAKES])
def test_a_mistake_is_found_at_its_place(key: str, place: str, value: Any) -> None:
    values = section = load(PARAMS)
    *sections, last = key.split(".")
    for name in sections:
        section = section[name]
    section[int(last) if last.isdecimal() else last] = value
    assert mistakes(Path("params.schema.json"), values) == [place]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_dvc_keeps_the_line_that_names_the_schema(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    with modify_yaml(copy):  # as `dvc exp run -S` does
        pass
    assert copy.read_text().splitlines()[0] == path.read_text().splitlines()[0]


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every key that the schema allows, with what the schema says of it."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from properties(part)


@pytest.mark.parametrize("path", SCHEMAS, ids=str)
def test_every_key_is_explained(path: Path) -> None:
    assert {key for key, said in properties(json.loads(path.read_text())) if "description" not in said} == set()


def test_an_option_is_explained_by_its_docstring() -> None:
    airbench = json.loads(PARAMS.with_name("params.schema.json").read_text())["$defs"]["airbench"]["properties"]
    assert airbench["widths"]["description"] == "`widths` are the features of the stem and of each pair."


def test_recipes_are_explained_as_in_the_parameter_file() -> None:
    explained = dict(re.findall(r"^#   (\w+) +(.*)$", PARAMS.read_text(), re.MULTILINE))
    assert explained == {name: field.description for name, field in Recipe.model_fields.items()}
