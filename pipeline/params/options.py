"""The options of each architecture, read from the signature of its ``build`` without importing it.

An architecture file imports Keras, which takes seconds; the schema needs no more than the names and types of
its keyword-only arguments.
"""

import ast
import typing
from pathlib import Path

import pydantic

Base = typing.TypeVar("Base", bound=pydantic.BaseModel)

ARCHITECTURES = Path(__file__).parents[1] / "architectures"


def architectures() -> list[str]:
    """Names of all architectures: the files in ``pipeline/architectures``."""
    return sorted(path.stem for path in ARCHITECTURES.glob("*.py") if path.stem != "__init__")


def with_options(architecture: str, base: type[Base]) -> type[Base]:
    """Extend `base` by a required field for each keyword-only argument of the architecture's ``build``.

    Annotations may use the names of ``typing`` and ``pydantic``, such as ``Literal`` and ``PositiveInt``.
    """
    tree = ast.parse((ARCHITECTURES / f"{architecture}.py").read_text())
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    annotations = {"architecture": f"Literal[{architecture!r}]"}
    annotations |= {option.arg: ast.unparse(option.annotation) for option in build.args.kwonlyargs if option.annotation}
    fields: dict[str, typing.Any] = {name: (annotation, ...) for name, annotation in annotations.items()}
    extended = pydantic.create_model(architecture, __base__=base, **fields)
    extended.model_rebuild(_types_namespace=vars(pydantic) | vars(typing))
    return extended
