"""Load ``params.yaml``, and know where each pipeline keeps its files.

The schema refuses and never changes: unknown keys, wrong types and values out of range are errors, no field has a
default and nothing is converted. So an edit of it cannot change a result, and no stage declares the modules
``config*`` as a dependency.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.config_base import Fraction, Name, PlainText, StrictModel, load_settings
from pipeline.config_data import DataConfig, SplitConfig
from pipeline.config_models import AnyModel, ModelConfig, Recipe
from pipeline.io import InputError

PARAMS = Path("params.yaml")
FRONTIER = Path("frontier/params.yaml")
# Names that no model may have. Nor may a parameter have the last two.
RESERVED = {
    "candidate": "metrics/candidate.json holds the candidate",
    "size": "DVC's run cache overlooks parameters called so",  # github.com/treeverse/dvc/issues/10296
    "nfiles": "DVC's run cache overlooks parameters called so",
}

# Environment variables by which libraries of a training compute other numbers, with the value by which they do not.
NUMERICS = {
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_XLA_FLAGS": "",
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    "ONEDNN_MAX_CPU_ISA": "DEFAULT",
    "NVIDIA_TF32_OVERRIDE": "",
    "JAX_ENABLE_X64": "0",
    "JAX_DEFAULT_DTYPE_BITS": "",
    "JAX_DEFAULT_MATMUL_PRECISION": "",
    "JAX_DEFAULT_PRNG_IMPL": "threefry2x32",
}


class Pipeline(StrictModel):
    """The models that one pipeline trains, and their recipes."""

    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    """training techniques, by the name that models give"""
    models: Annotated[dict[Name, AnyModel], Field(min_length=1)]
    """each is trained and evaluated by stages of its own"""

    def get_model(self, name: str) -> ModelConfig:
        """Return the entry `name` of ``models``, or raise InputError that names those there are."""
        if name not in self.models:
            raise InputError(f"model: found {name!r}, expected one of {', '.join(self.models)}")
        return self.models[name]

    @model_validator(mode="after")
    def refuse_wrong_names(self, info: ValidationInfo) -> Self:
        """Refuse reserved names, recipes and splits that do not exist, and names of another pipeline's models."""
        if mistakes := list(self._wrong_names(info.context or {})):
            raise ValidationError.from_exception_data(type(self).__name__, mistakes)
        return self

    def _wrong_names(self, context: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
        taken = RESERVED | dict.fromkeys(context.get("models", ()), f"{PARAMS} has a model of this name")
        splits = context.get("splits", {})
        for name, model in self.models.items():
            if name in taken:
                yield mistake(("models", name), f"another name: {taken[name]}")
            if model.recipe not in self.recipes:
                yield mistake(("models", name, "recipe"), f"the name of a recipe; allowed: {', '.join(self.recipes)}")
            if model.split not in splits:
                yield mistake(("models", name, "split"), f"the name of a split; allowed: {', '.join(splits)}")


def mistake(keys: tuple[str | int, ...], expected: str) -> InitErrorDetails:
    """Return an error of the value that `keys` lead to from the section of a validator."""
    error = PydanticCustomError("mistake", "{expected}", {"keys": keys, "expected": expected})
    return InitErrorDetails(type=error, input=None)


class Config(Pipeline):
    """The whole of ``params.yaml``."""

    model: Name
    """the candidate, whose metrics `dvc metrics diff` compares"""
    published: Literal["published.yaml"] | None
    """what articles report for these data, shown beside our results; null for other data"""
    data: DataConfig
    """where the images come from, and how they are read"""
    splits: Annotated[dict[Name, SplitConfig], Field(min_length=1)]
    """ways to hold out validation images, by the name that models give"""

    @property
    def context(self) -> dict[str, Any]:
        """Models and splits, which validators of another pipeline check names against."""
        return {"models": self.models, "splits": self.splits}

    def _wrong_names(self, context: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
        if self.model not in self.models:
            yield mistake(("model",), f"the name of a model; allowed: {', '.join(self.models)}")
        yield from super()._wrong_names({**context, "splits": self.splits})


def load_config(path: Path = PARAMS) -> Config:
    """Load all of ``params.yaml``, whatever the caller needs of it, so that a mistake anywhere stops every stage.

    Raises InputError that names file, line, key, what was found and what is allowed, for each mistake. It also refuses
    Windows, and an environment in which the libraries compute other numbers.
    """
    if sys.platform == "win32":
        raise InputError("Windows: run it in WSL, the Windows Subsystem for Linux; native Windows is not supported")
    for variable, usual in NUMERICS.items():
        if (value := os.environ.get(variable, "")) not in ("", usual):
            raise InputError(f"environment: found {variable}={value!r}, which changes results; `unset {variable}`")
    return load_settings(path, Config, "the parameters")


def load_pipeline(path: Path = PARAMS) -> Pipeline:
    """Load the models of the root's ``params.yaml`` or of another pipeline's, such as ``frontier/params.yaml``.

    Splits are those of the root. Raises InputError as `load_config` does.
    """
    root = load_config()
    return root if path == PARAMS else _load_beside(root, path)


def _load_beside(root: Config, path: Path) -> Pipeline:
    return load_settings(path, Pipeline, "recipes and models", root.context)


@dataclass(frozen=True)
class Layout:
    """The places of the files of one pipeline: the folder ``.`` is the root's."""

    folder: Path

    @classmethod
    def of(cls, params: Path) -> "Layout":
        """Return the layout of the pipeline with these parameters."""
        return cls(params.parent)

    @property
    def params(self) -> Path:
        """The path of ``params.yaml``."""
        return self.folder / "params.yaml"

    @property
    def data(self) -> Path:
        """Everything that DVC caches."""
        return Path("data") / self.folder

    @property
    def metrics(self) -> Path:
        """The metrics files, kept in git."""
        return self.folder / "metrics"

    @property
    def reports(self) -> Path:
        """The folder of the report's tables, figures and page."""
        return self.folder / "reports"

    def predictions(self, name: str) -> Path:
        """Return the file of a model's predictions, of every seed and split."""
        return self.data / "predictions" / f"{name}.npz"

    def curves(self, name: str) -> Path:
        """Return the file of the learning curves of a model's best seed."""
        return self.data / "curves" / f"{name}.csv"

    def run(self, name: str) -> Path:
        """Return the record of a model's training."""
        return self.data / "runs" / f"{name}.json"

    def model(self, name: str) -> Path:
        """Return the folder of a trained model."""
        return self.data / "models" / name

    def evaluation(self, name: str) -> Path:
        """Return the folder of a model's scores and tables."""
        return self.data / "evaluation" / name

    def metrics_of(self, name: str) -> Path:
        """Return the metrics file of a model."""
        return self.metrics / f"{name}.json"

    def stage(self, stage: str, name: str = "") -> str:
        """Return what `dvc repro` takes to run a stage, for a model where it has one for each."""
        target = f"{stage}@{name}" if name else stage
        return target if self.folder == Path() else f"{self.folder}/dvc.yaml:{target}"


ROOT = Layout(Path())


def load_all() -> list[tuple[Layout, Pipeline]]:
    """Load the root's pipeline and, where there is one, the frontier's."""
    root = load_config()
    frontier = [(Layout.of(FRONTIER), _load_beside(root, FRONTIER))] if FRONTIER.exists() else []
    return [(ROOT, root), *frontier]


def find_model(name: str) -> tuple[Layout, ModelConfig]:
    """Find a model in any pipeline.

    Raises InputError that names the models of all pipelines.
    """
    pipelines = load_all()
    for layout, pipeline in pipelines:
        if name in pipeline.models:
            return layout, pipeline.models[name]
    known = [known for _, pipeline in pipelines for known in pipeline.models]
    raise InputError(f"model: found {name!r}, expected one of {', '.join(known)}")


class Article(StrictModel):
    """A source of the published models."""

    author: PlainText
    title: PlainText
    held_out: PlainText


class Published(StrictModel):
    """The result that an article reports on the test images. `accuracy` is None where it gives no number."""

    article: PlainText
    claim: PlainText
    accuracy: Fraction | None


class PublishedResults(StrictModel):
    """The whole of ``published.yaml``."""

    articles: dict[str, Article]
    models: dict[Name, Published]

    @model_validator(mode="after")
    def refuse_unknown_articles(self) -> Self:
        """Refuse results of an article that is not described."""
        allowed = f"the name of an article; allowed: {', '.join(self.articles)}"
        wrong = [name for name, published in self.models.items() if published.article not in self.articles]
        if wrong:
            mistakes = [mistake(("models", name, "article"), allowed) for name in wrong]
            raise ValidationError.from_exception_data(type(self).__name__, mistakes)
        return self


def load_published(path: str | None) -> PublishedResults:
    """Load what articles report from the file that ``published`` in ``params.yaml`` names, if any.

    Raises InputError as `load_config` does.
    """
    if path is None:
        return PublishedResults(articles={}, models={})
    return load_settings(Path(path), PublishedResults, "articles and models")
