"""The schema of a file in ``sweeps``."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.config import Config, Layout, Pipeline, load_all, mistake
from pipeline.config_base import Matching, Name, Seed, StrictModel, first_key, load_settings

Scalar = bool | int | float | str | None
Value = Scalar | list[Scalar]
Key = Annotated[str, Matching(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", "the name of a setting, or several with dots")]
"""A setting below ``models.NAME``, with dots, such as ``optimizer.learning_rate``."""
Pipelines = Sequence[tuple[Layout, Pipeline]]


class Bounds(StrictModel):
    """A range with one key, whose two numbers are its ends, both included."""

    @model_validator(mode="after")
    def refuse_empty_range(self) -> Self:
        """Refuse a range whose lower end does not come first."""
        ((kind, (low, high)),) = self
        if not low < high:
            raise PydanticCustomError("bounds", "two numbers, the lower first", {"key": kind})
        return self


class Integers(Bounds):
    """Integers, uniformly distributed."""

    integers: Annotated[list[int], Field(min_length=2, max_length=2)]


class Uniform(Bounds):
    """Floats, uniformly distributed."""

    uniform: Annotated[list[float], Field(min_length=2, max_length=2)]


class LogUniform(Bounds):
    """Floats whose logarithms are uniformly distributed."""

    log_uniform: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)]


class Choices(StrictModel):
    """Values without order, uniformly distributed."""

    choices: Annotated[list[Value], Field(min_length=2)]


Range = Annotated[
    Annotated[Integers, Tag("integers")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("log_uniform")]
    | Annotated[Choices, Tag("choices")],
    Discriminator(
        first_key, custom_error_type="range", custom_error_message="one of integers, uniform, log_uniform, choices"
    ),
]


class MedianPruning(StrictModel):
    """Stop a trial whose best epoch so far is below the median of the other trials at the same epoch."""

    pruner: Literal["median"]
    startup_trials: NonNegativeInt
    warmup_epochs: NonNegativeInt


class HalvingPruning(StrictModel):
    """Successive halving: keep one trial in `factor` after `first` epochs, after `first` × `factor`, and so on."""

    pruner: Literal["halving"]
    first: PositiveInt
    factor: Annotated[int, Field(ge=2)]


Pruning = Annotated[MedianPruning | HalvingPruning, Discriminator("pruner")]


class Search(StrictModel):
    """Trials sampled by Optuna's TPE sampler."""

    trials: PositiveInt
    seed: Seed
    pruning: Pruning | None
    settings: Annotated[dict[Key, Range], Field(min_length=1)]


class Sweep(StrictModel):
    """A model and the settings to try: all combinations of a grid, or those that a search samples."""

    model: Name
    grid: Annotated[dict[Key, Annotated[list[Value], Field(min_length=1)]], Field(min_length=1)] | None = None
    search: Search | None = None

    @model_validator(mode="after")
    def refuse_both_and_neither(self) -> Self:
        """Refuse a sweep that is not exactly one of grid and search."""
        if (self.grid is None) == (self.search is None):
            raise PydanticCustomError("sweep", "one of grid and search beside model")
        return self

    @model_validator(mode="after")
    def refuse_wrong_settings(self, info: ValidationInfo) -> Self:
        """Refuse values that the model's pipeline would not take. The context has all ``pipelines``."""
        pipelines: Pipelines = (info.context or {})["pipelines"]
        pipeline = next((pipeline for _, pipeline in pipelines if self.model in pipeline.models), None)
        if pipeline is None:
            known = ", ".join(name for _, pipeline in pipelines for name in pipeline.models)
            raise PydanticCustomError("name", "the name of a model; allowed: {known}", {"key": "model", "known": known})
        others = [other for _, other in pipelines if isinstance(other, Config) and other is not pipeline]
        context = others[0].context if others else None
        mistakes: dict[tuple[str | int, ...], str] = {}
        for keys, key, value in self._values():
            try:
                _with_setting(pipeline, self.model, key, value, context)
            except ValidationError as error:
                mistakes[keys] = " or ".join(str(mistake["msg"]) for mistake in error.errors())
            except LookupError as error:
                mistakes[keys[:3] if self.search else keys[:2]] = f"a setting of the model; allowed: {error.args[0]}"
        if mistakes:
            raise ValidationError.from_exception_data("settings", [mistake(*wrong) for wrong in mistakes.items()])
        return self

    def _values(self) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
        """Yield each value of a grid or of choices and each end of a range: its place in the file, its key, itself."""
        for key, values in (self.grid or {}).items():
            for place, value in enumerate(values):
                yield ("grid", key, place), key, value
        for key, space in (self.search.settings if self.search else {}).items():
            ((kind, values),) = space
            for place, value in enumerate(values):
                yield ("search", "settings", key, kind, place), key, value


def load_sweep(path: Path) -> tuple[Sweep, Layout]:
    """Load a sweep and find the pipeline that has its model.

    Raises InputError for each mistake, with file, line, key, what was found and what is allowed.
    """
    pipelines = load_all()
    sweep = load_settings(path, Sweep, "a sweep", {"pipelines": pipelines})
    return sweep, next(layout for layout, pipeline in pipelines if sweep.model in pipeline.models)


def _with_setting(
    pipeline: Pipeline, model: str, key: str, value: Value, context: Mapping[str, Any] | None
) -> Pipeline:
    """Return a pipeline with another value of one setting of a model.

    Args:
        pipeline: The pipeline.
        model: Name of the model.
        key: The setting, as below ``models.NAME``.
        value: Its value.
        context: What the pipeline's validators need to know.

    Returns:
        The changed pipeline.

    Raises:
        LookupError: There is no such setting. Its argument names the settings there are.
        ValidationError: The value is wrong.
    """
    values = pipeline.model_dump()
    section = values["models"][model]
    names = key.split(".")
    for depth, name in enumerate(names):
        if not isinstance(section, dict) or name not in section:
            outer = names[:depth]
            known = [[*outer, last] for last in section] if isinstance(section, dict) else [outer]
            raise LookupError(", ".join(map(".".join, known)))
        section, holder = section[name], section
    holder[names[-1]] = value
    return type(pipeline).model_validate(values, context=context)
