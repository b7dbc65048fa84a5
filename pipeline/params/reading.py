"""Read and check files of settings: ``params.yaml`` and those of sweeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from pipeline.errors import InputError
from pipeline.params.schema import EnsembleParams, ModelParams, Params, StudentParams
from pipeline.params.section import Section

Settings = TypeVar("Settings", bound=Section)
Entry = TypeVar("Entry")


def read_params(path: Path = Path("params.yaml")) -> Params:
    """Read all parameters, whatever the caller needs of them, so that a mistake anywhere stops every stage.

    Raises InputError naming file, line, parameter, what was found and what is allowed, for each mistake.
    """
    return read_settings(path, Params, "the parameters")


def read_settings(path: Path, schema: type[Settings], holds: str, context: Mapping[str, Any] | None = None) -> Settings:
    """Read a file of settings; `context` is what its validators know besides the file.

    The file is read by DVC's own reader, whose YAML is 1.2; under YAML 1.1 ``1e-3`` would be a string.

    Raises InputError naming file, line, key, what was found and what is allowed, for each mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = YAML(typ="safe").load(text)
    except OSError as error:
        raise InputError(f"{path}: found no readable file ({error.strerror}), expected {holds}") from error
    except MarkedYAMLError as error:
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: expected YAML, found a mistake: {error.problem}") from error
    except (RecursionError, TypeError, ValueError, YAMLError) as error:  # bytes that are no text, keys that are lists
        raise InputError(f"{path}: expected YAML, found a mistake: {error}") from error
    try:
        return schema.model_validate(values, context=context)
    except ValidationError as error:
        raise InputError("\n".join(_explain(path, text, values, error.errors()))) from error


def model_named(params: Params, name: str) -> ModelParams:
    """The entry `name` of ``models``.

    Raises InputError naming the models there are.
    """
    return _entry("model", params.models, name)


def ensemble_named(params: Params, name: str) -> EnsembleParams:
    """The entry `name` of ``ensembles``.

    Raises InputError naming the ensembles there are.
    """
    return _entry("ensemble", params.ensembles, name)


def student_named(params: Params, name: str) -> StudentParams:
    """The entry `name` of ``students``.

    Raises InputError naming the students there are.
    """
    return _entry("student", params.students, name)


def network_named(params: Params, name: str) -> ModelParams:
    """The entry `name` of ``models`` or ``students``: what has a network of its own.

    Raises InputError naming those there are and, for an ensemble, its members.
    """
    if name in params.ensembles:
        members = ", ".join(params.ensembles[name].members)
        raise InputError(f"model: found {name!r}, an ensemble without a network of its own; its members are {members}")
    return _entry("model", params.trained, name)


def check_name(params: Params, name: str) -> None:
    """Raise InputError unless `name` is a model, an ensemble or a student, naming those there are."""
    _entry("model", dict.fromkeys(params.names), name)


def _entry(kind: str, entries: Mapping[str, Entry], name: str) -> Entry:
    if name not in entries:
        raise InputError(f"{kind}: found {name!r}, expected one of {', '.join(entries) or 'none'}")
    return entries[name]


def _explain(path: Path, text: str, values: Any, errors: Sequence[ErrorDetails]) -> list[str]:
    """One line a wrong parameter; the alternatives of a union are joined by "or"."""
    expected: dict[tuple[str | int, ...], list[str]] = {}
    found: dict[tuple[str | int, ...], str] = {}
    for error in errors:
        keys = _existing(values, error)
        expected.setdefault(keys, []).append(error["msg"])
        found[keys] = "nothing" if error["type"] == "missing" else _shortened(_value(values, keys))
    root = YAML(typ="safe").compose(text)
    return [
        f"{path}:{_line(root, keys)}: {'.'.join(map(str, keys)) or 'the file'}: "
        f"found {found[keys]}, expected: {' or '.join(messages)}"
        for keys, messages in expected.items()
    ]


def _existing(values: Any, error: ErrorDetails) -> tuple[str | int, ...]:
    """The keys that lead to the wrong parameter, without the names of union members that pydantic puts between.

    An error of a mapping may name one of its keys: "key", with dots, and "keys" are ours, "discriminator" pydantic's.
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


def _value(values: Any, keys: Sequence[str | int]) -> Any:
    for key in keys:
        values = values[key]
    return values


def _shortened(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _line(node: Node | None, keys: Sequence[str | int]) -> int:
    """Line of the last key that stands in the file, from 1."""
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
