"""Describe and load YAML files of settings.

Every mistake is explained: file, line, key, what was found, what is allowed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError, ValidationError
from pydantic_core.core_schema import no_info_after_validator_function
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pipeline.io import InputError

DEEPEST = 50  # values in values

Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


@dataclass(frozen=True)
class Matching:
    """Text that matches a pattern. Its error names what is allowed, where pydantic's own shows the pattern."""

    pattern: str
    allowed: str

    def check(self, text: str) -> str:
        """Return the text, or refuse it."""
        if not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("text", "{allowed}", {"allowed": self.allowed})
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^({self.pattern})$", "description": self.allowed}


Name = Annotated[str, Matching(r"[a-z][a-z0-9_]*", "lower-case letters, digits and _, beginning with a letter")]
PlainText = Annotated[str, Matching(r"[^\x00-\x1f\x7f-\x9f]+", "text without control characters")]


class StrictModel(BaseModel):
    """A mapping of a settings file. Its keys are exactly the fields. Editors show what stands below a key."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="wrap")
    @classmethod
    def name_unknown_keys(cls, section: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Name the keys that are allowed where there is another, which pydantic's own error does not."""
        try:
            return validate(section)
        except ValidationError as error:
            allowed = ", ".join(cls.model_fields)
            mistakes = [_restate(mistake, allowed) for mistake in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, mistakes) from error


def _restate(mistake: ErrorDetails, allowed: str) -> InitErrorDetails:
    """Return a mistake as validators raise it, with the keys that are allowed if it is one of this section's keys."""
    context = mistake.get("ctx", {}) | {"message": mistake["msg"]}
    kind, location = mistake["type"], mistake["loc"]
    if kind == "extra_forbidden":
        kind, location = "unknown_key", location[:-1]
        context |= {"message": f"no such key; allowed: {allowed}", "keys": mistake["loc"][-1:]}
    elif kind == "union_tag_not_found":
        context["message"] = f"a mapping with the key {context['discriminator']}"
    return InitErrorDetails(type=PydanticCustomError(kind, "{message}", context), loc=location, input=mistake["input"])


def first_key(section: Any) -> str | None:
    """Return the first key of a section, validated or not, as the tag of a union of sections with one key each."""
    keys = type(section).model_fields if isinstance(section, StrictModel) else section
    return next(iter(keys), None) if isinstance(keys, dict) else None


Schema = TypeVar("Schema", bound=BaseModel)


def load_settings(path: Path, schema: type[Schema], holds: str, context: Mapping[str, Any] | None = None) -> Schema:
    """Load a YAML file and validate it.

    DVC's own reader is used, whose YAML is 1.2: under YAML 1.1 ``1e-3`` would be a string.

    Args:
        path: The file.
        schema: The pydantic model that describes it.
        holds: What the file should hold, for the error message, such as "the parameters".
        context: What validators need to know besides the file.

    Returns:
        The validated settings.

    Raises:
        InputError: One line for each mistake, with file, line, key, what was found and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        values = YAML(typ="safe").load(text)
    except OSError as error:
        raise InputError(f"{path}: found no readable file ({error.strerror}), expected {holds}") from error
    except MarkedYAMLError as error:
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: expected YAML, found a mistake: {_escape(str(error.problem))}") from error
    except (TypeError, ValueError, YAMLError) as error:  # bytes that are no text, keys that are lists
        raise InputError(f"{path}: expected YAML, found a mistake: {_escape(str(error))}") from error
    try:
        return schema.model_validate(values, context=context)
    except ValidationError as error:
        raise InputError("\n".join(_explain(path, text, values, error.errors()))) from error


def _check_depth(text: str) -> None:
    """Raise ValueError if values are nested deeper than the functions that read them, which call themselves, can go."""
    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"values nested more than {DEEPEST} deep")


def _explain(path: Path, text: str, values: Any, errors: Sequence[ErrorDetails]) -> list[str]:
    """Return one line for each wrong key, in the file's order. The alternatives of a union are joined by "or"."""
    expected: dict[tuple[str | int, ...], list[str]] = {}
    found: dict[tuple[str | int, ...], str] = {}
    for error in errors:
        keys = _key_path(values, error)
        expected.setdefault(keys, []).append(error["msg"].removeprefix("Input should be "))
        found[keys] = "nothing" if error["type"] == "missing" else _shorten(_lookup(values, keys))
    root = YAML(typ="safe").compose(text)
    lines = {keys: _line(root, keys) for keys in expected}
    return [
        f"{path}:{lines[keys]}: {_escape('.'.join(map(str, keys))) or 'the file'}: "
        f"found {found[keys]}, expected: {' or '.join(dict.fromkeys(expected[keys]))}"
        for keys in sorted(expected, key=lambda keys: lines[keys])
    ]


def _key_path(values: Any, error: ErrorDetails) -> tuple[str | int, ...]:
    """Return the keys that lead to the wrong value, without the tags of unions that pydantic inserts.

    An error of a mapping may name one of its keys: our validators as "key" (with dots) or "keys", pydantic as
    "discriminator".
    """
    location: list[Any] = list(error["loc"])
    context = error.get("ctx", {})
    missing = [location.pop()] if error["type"] == "missing" else []
    location += str(context.get("key") or context.get("discriminator", "")).strip("'").split(".")
    location += context.get("keys", ())
    keys: list[str | int] = []
    for key in location:
        if (isinstance(values, dict) and key in values) or (isinstance(values, list) and isinstance(key, int)):
            keys.append(key)
            values = values[key]
    return (*keys, *missing)


def _lookup(values: Any, keys: Sequence[str | int]) -> Any:
    for key in keys:
        values = values[key]
    return values


def _escape(text: str) -> str:
    """Return the text on one line, with escapes for what is not printable."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in " ".join(text.split()))


def _shorten(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _line(node: Node | None, keys: Sequence[str | int]) -> int:
    """Return the line, from 1, of the last of `keys` that the file has."""
    line = 1
    for key in keys:
        if isinstance(node, SequenceNode) and isinstance(key, int):
            named = node = node.value[key]
        elif isinstance(node, MappingNode) and (pairs := [pair for pair in node.value if pair[0].value == str(key)]):
            named, node = pairs[0]
        else:
            break
        line = named.start_mark.line + 1
    return line
