"""Write JSON Schemas of the parameter files, by which editors complete, explain and check them."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DictSchema

from pipeline.config import Config, Pipeline
from pipeline.config_base import StrictModel
from pipeline.io import write_text

if TYPE_CHECKING:
    from argparse import _SubParsersAction

SCHEMAS: dict[Path, type[StrictModel]] = {
    Path("params.schema.json"): Config,
    Path("frontier/params.schema.json"): Pipeline,
}


class _ClosedKeys(GenerateJsonSchema):
    """Refuse keys that are no names, such as one of a model, where pydantic's own schema ignores them."""

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """Return the schema of a mapping that refuses keys of another form."""
        return {"additionalProperties": False} | super().dict_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Set no titles: they repeat the keys."""
        return False


def add_schema(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "schema",
        help="write the JSON Schemas with which editors check params.yaml",
        description="Write the JSON Schemas that the first line of params.yaml and of frontier/params.yaml names: run "
        "it after you added an architecture. They hold what one file can show; the pipeline also checks names.",
    )
    parser.set_defaults(command=run_schema)


def run_schema(_: Namespace) -> None:
    """Write the schema beside each parameter file that is there, and name it."""
    for path, model in SCHEMAS.items():
        if not path.with_name("params.yaml").exists():  # a project may do without the frontier
            continue
        write_text(path, json_schema(model))
        print(path)


def json_schema(model: type[StrictModel]) -> str:
    """Return the schema of a parameter file as indented JSON."""
    schema = model.model_json_schema(schema_generator=_ClosedKeys)
    return json.dumps({"$schema": _ClosedKeys.schema_dialect, **schema}, indent=2, ensure_ascii=False) + "\n"
