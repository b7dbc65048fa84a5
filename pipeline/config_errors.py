"""Read YAML files of settings and explain every mistake in them: file, line, key, what was found, what is allowed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pipeline.io import InputError

DEEPEST = 50  # values in values

Settings = TypeVar("Settings", bound=BaseModel)


def load_settings(path: Path, schema: type[Settings], holds: str, context: Mapping[str, Any] | None = None) -> Settings:
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
