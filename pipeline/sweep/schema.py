"""What a file in ``sweeps`` may hold."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.params.reading import read_settings
from pipeline.params.schema import Name, Params, Seed
from pipeline.params.section import Section

Scalar = bool | int | float | str | None
Value = Scalar | list[Scalar]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
"""A setting below ``models.NAME``, with dots, such as ``optimizer.learning_rate``."""


class Bounds(Section):
    """A range by its one key, whose two numbers are its ends, both included."""

    @model_validator(mode="after")
    def refuse_an_empty_range(self) -> Self:
        """The lower end comes first."""
        ((kind, (low, high)),) = self
        if not low < high:
            raise PydanticCustomError("bounds", "two numbers, the lower first", {"key": kind})
        return self


class Integers(Bounds):
    """Whole numbers, each as likely as another."""

    integers: Annotated[list[int], Field(min_length=2, max_length=2)]


class Uniform(Bounds):
    """Numbers, each as likely as another."""

    uniform: Annotated[list[float], Field(min_length=2, max_length=2)]


class LogUniform(Bounds):
    """Numbers whose logarithms are each as likely as another."""

    log_uniform: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)]


class Choices(Section):
    """Values without an order."""

    choices: Annotated[list[Value], Field(min_length=2)]


def _kind(space: Any) -> str | None:
    """Tag of a range: its first key, whether it was validated already or not."""
    keys = type(space).model_fields if isinstance(space, Section) else space
    return next(iter(keys), None) if isinstance(keys, dict) else None


Range = Annotated[
    Annotated[Integers, Tag("integers")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("log_uniform")]
    | Annotated[Choices, Tag("choices")],
    Discriminator(
        _kind, custom_error_type="range", custom_error_message="one of integers, uniform, log_uniform, choices"
    ),
]


class MedianPruning(Section):
    """Stop a trial whose best epoch so far is below the median of the others at the same epoch."""

    pruner: Literal["median"]
    startup_trials: NonNegativeInt
    warmup_epochs: NonNegativeInt


class HalvingPruning(Section):
    """Stop all trials but one in `factor` after `first` epochs, after `first` times `factor`, and so on."""

    pruner: Literal["halving"]
    first: PositiveInt
    factor: Annotated[int, Field(ge=2)]


Pruning = Annotated[MedianPruning | HalvingPruning, Discriminator("pruner")]


class Search(Section):
    """Trials drawn by Optuna's TPE sampler."""

    trials: PositiveInt
    seed: Seed
    pruning: Pruning | None
    settings: Annotated[dict[Key, Range], Field(min_length=1)]


class Sweep(Section):
    """A model and which of its settings are tried: all combinations of a grid, or what a search draws."""

    model: Name
    grid: Annotated[dict[Key, Annotated[list[Value], Field(min_length=1)]], Field(min_length=1)] | None = None
    search: Search | None = None

    @property
    def settings(self) -> list[str]:
        """The settings that differ from point to point, as below ``models.NAME``."""
        return list(self.grid or (self.search.settings if self.search else ()))

    @model_validator(mode="after")
    def refuse_both_and_neither(self) -> Self:
        """A sweep is one of two kinds."""
        if (self.grid is None) == (self.search is None):
            raise PydanticCustomError("sweep", "one of grid and search beside model")
        return self

    @model_validator(mode="after")
    def refuse_what_the_model_cannot_be(self, info: ValidationInfo) -> Self:
        """Each value would be allowed in ``params.yaml``, which is the `params` of the context."""
        params: Params = (info.context or {})["params"]
        if self.model not in params.models:
            kind = "a model, not of an ensemble or a student" if self.model in params.names else "a model"
            context = {"key": "model", "kind": kind, "known": ", ".join(params.models)}
            raise PydanticCustomError("name", "the name of {kind}; allowed: {known}", context)
        for keys, key, value in self._values():
            try:
                with_settings(params, self.model, {key: value})
            except ValidationError as error:
                message = " or ".join(str(mistake["msg"]) for mistake in error.errors())
                raise PydanticCustomError("value", "{message}", {"keys": keys, "message": message}) from error
            except LookupError as error:
                allowed = {"keys": keys[:3] if self.search else keys[:2], "allowed": error.args[0]}
                raise PydanticCustomError("key", "a setting of the model; allowed: {allowed}", allowed) from error
        return self

    def _values(self) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
        """Each value of a grid or of choices and each end of a range: where it stands, its setting, itself."""
        for key, values in (self.grid or {}).items():
            for place, value in enumerate(values):
                yield ("grid", key, place), key, value
        for key, space in (self.search.settings if self.search else {}).items():
            ((kind, values),) = space
            for place, value in enumerate(values):
                yield ("search", "settings", key, kind, place), key, value


def read_sweep(path: Path, params: Params) -> Sweep:
    """Read the sweep at `path` of a model of `params`.

    Raises InputError naming file, line, key, what was found and what is allowed, for a mistake.
    """
    return read_settings(path, Sweep, "a sweep", {"params": params})


def with_settings(params: Params, model: str, settings: Mapping[str, Value]) -> Params:
    """`params` with other `settings` of one model.

    Raises LookupError with the settings there are, for one that is not there; ValidationError for a wrong value.
    """
    values = params.model_dump()
    for key, value in settings.items():
        section = values["models"][model]
        *outer, last = key.split(".")
        for name in [*outer, last]:
            if not isinstance(section, dict) or name not in section:
                raise LookupError(", ".join(values["models"][model]))
            section, holder = section[name], section
        holder[last] = value
    return Params.model_validate(values)
