"""The schema of ``params.yaml``, and where each pipeline keeps its files.

The schema refuses and never changes: unknown keys, wrong types and values out of range are errors, no field has a
default and nothing is converted. So an edit here cannot change a result, and no stage declares this module as a
dependency.
"""

import ast
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.config_errors import load_settings
from pipeline.io import InputError

PARAMS = Path("params.yaml")
FRONTIER = Path("frontier/params.yaml")
ARCHITECTURES = Path(__file__).parent / "architectures"

Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(ge=1, le=4096)]


def _matching(pattern: str, allowed: str) -> AfterValidator:
    """Return a validator of text that names what is allowed, where pydantic's own shows the pattern."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("text", "{allowed}", {"allowed": allowed})
        return text

    return AfterValidator(check)


Name = Annotated[str, _matching(r"[a-z][a-z0-9_]*", "lower-case letters, digits and _, beginning with a letter")]
FileName = Annotated[str, _matching(r"\w[\w.-]*", "a file name of letters, digits, _, . and -")]
LocalFolder = Annotated[str, _matching(r"data/local(/[\w-][^/\\]*)*", "data/local or a folder below it")]
Sha256 = Annotated[str, _matching(r"[0-9a-f]{64}", "64 hexadecimal digits")]
HttpsUrl = Annotated[str, _matching(r"https://\S+", "an address that begins with https://")]
DebianPackage = Annotated[str, _matching(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package")]
ClassName = Annotated[str, _matching(r"[^\x00-\x1f\x7f-\x9f]+", "text without control characters")]
Text = Annotated[str, StringConstraints(min_length=1)]

# Names that no model may have. Nor may a parameter have the last two.
RESERVED = {
    "candidate": "metrics/candidate.json holds the candidate",
    "size": "DVC's run cache overlooks parameters called so",  # github.com/treeverse/dvc/issues/10296
    "nfiles": "DVC's run cache overlooks parameters called so",
}


class StrictModel(BaseModel):
    """A mapping of a settings file. Its keys are exactly the fields."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_keys(cls, section: Any) -> Any:
        """Name the keys that are allowed, which pydantic's own error does not."""
        for key in section if isinstance(section, dict) else ():
            if key not in cls.model_fields:
                context = {"key": key, "allowed": ", ".join(cls.model_fields)}
                raise PydanticCustomError("unknown_key", "no such key; allowed: {allowed}", context)
        return section


class UrlSource(StrictModel):
    """Files below an HTTPS address."""

    url: HttpsUrl


class DebianSource(StrictModel):
    """Files inside a package of the machine's Debian or Ubuntu archive."""

    debian: DebianPackage


class FolderSource(StrictModel):
    """Files in a local folder, relative to the repository."""

    folder: Text


def _source_tag(source: Any) -> str | None:
    """Return the tag of a source: its first key."""
    keys = type(source).model_fields if isinstance(source, StrictModel) else source
    return next(iter(keys), None) if isinstance(keys, dict) else None


Source = Annotated[
    Annotated[UrlSource, Tag("url")] | Annotated[DebianSource, Tag("debian")] | Annotated[FolderSource, Tag("folder")],
    Discriminator(
        _source_tag, custom_error_type="source", custom_error_message="a source is one of url, debian, folder"
    ),
]


class RawFile(StrictModel):
    """A file as the sources name it, and the SHA-256 of its decompressed content."""

    name: FileName
    sha256: Sha256 | None


class IdxFiles(StrictModel):
    """The four files of the IDX format."""

    train_images: RawFile
    train_labels: RawFile
    test_images: RawFile
    test_labels: RawFile
    transposed: bool

    @property
    def files(self) -> list[RawFile]:
        """All files of the format."""
        return [self.train_images, self.train_labels, self.test_images, self.test_labels]


class CsvFiles(StrictModel):
    """The two files of the CSV format."""

    train: RawFile
    test: RawFile
    transposed: bool

    @property
    def files(self) -> list[RawFile]:
        """All files of the format."""
        return [self.train, self.test]


class SeparateFolder(StrictModel):
    """Test images in a folder of their own."""

    folder: LocalFolder


class HeldOut(StrictModel):
    """Test images held out of the training folder, the same fraction of each class."""

    fraction: Fraction
    seed: Seed


class Size(StrictModel):
    """Height and width of an image in pixels."""

    height: Side
    width: Side


def _test_tag(test: Any) -> str:
    """Return the tag of how test images are told from training images."""
    if isinstance(test, dict):
        return "separate" if "folder" in test else "held out"
    return "separate" if isinstance(test, SeparateFolder) else "held out"


class ImageFolders(StrictModel):
    """Folders with one folder of images for each class, and how the images are converted."""

    train: LocalFolder
    test: Annotated[
        Annotated[SeparateFolder, Tag("separate")] | Annotated[HeldOut, Tag("held out")], Discriminator(_test_tag)
    ]
    resize: Size | None
    color: Literal["grey", "rgb"]

    @model_validator(mode="after")
    def refuse_equal_folders(self) -> Self:
        """Refuse test images that are the training images."""
        if isinstance(self.test, SeparateFolder) and self.test.folder == self.train:
            raise PydanticCustomError("folders", "another folder than for training", {"key": "test.folder"})
        return self


class _Data(StrictModel):
    """What all formats have in common."""

    sources: Annotated[list[Source], Field(min_length=1)]
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)] | None
    normalization: Literal["minmax", "standard"]

    @model_validator(mode="after")
    def refuse_equal_classes(self) -> Self:
        """Refuse two classes of one name, which a table could not tell apart."""
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise PydanticCustomError("classes", "class names must differ", {"key": "classes"})
        return self


class IdxData(_Data):
    """Data in the IDX format of MNIST."""

    format: Literal["idx"]
    idx: IdxFiles


class CsvData(_Data):
    """Data in CSV tables of label and pixels."""

    format: Literal["csv"]
    csv: CsvFiles


class ImageData(_Data):
    """Data in folders of PNG and JPEG files."""

    format: Literal["images"]
    images: ImageFolders


def _format_tag(data: Any) -> str | None:
    """Return the tag of the data's format, which no key of the data has as its name."""
    name = data.get("format") if isinstance(data, dict) else getattr(data, "format", None)
    return f"format {name}" if name in ("idx", "csv", "images") else None


DataConfig = Annotated[
    Annotated[IdxData, Tag("format idx")]
    | Annotated[CsvData, Tag("format csv")]
    | Annotated[ImageData, Tag("format images")],
    Discriminator(
        _format_tag,
        custom_error_type="format",
        custom_error_message="format is one of idx, csv, images",
        custom_error_context={"key": "format"},
    ),
]


class SplitConfig(StrictModel):
    """How many training images are held out for validation: a fraction or a number, as scikit-learn's `test_size`."""

    validation_size: Fraction | PositiveInt
    seed: Seed


class LrSchedule(StrictModel):
    """Linear warm-up from 0 over a fraction of all steps, then decay to 0."""

    warmup: Annotated[float, Field(ge=0, lt=1)]
    decay: Literal["cosine", "linear"]


def _schedule_tag(schedule: Any) -> str:
    return "changing" if isinstance(schedule, dict | LrSchedule) else "constant"


class Recipe(StrictModel):
    """Training techniques that work with any architecture."""

    flip: Literal["none", "random", "alternating"]
    translate: NonNegativeInt
    cutout: NonNegativeInt
    mixup: NonNegativeFloat
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    lr_schedule: Annotated[
        Annotated[Literal["constant"], Tag("constant")] | Annotated[LrSchedule, Tag("changing")],
        Discriminator(_schedule_tag),
    ]
    ema: Fraction | None
    tta_flip: bool
    tta_translate: NonNegativeInt
    cpu_precision: Literal["float32", "bfloat16"]


class AdaptiveOptimizer(StrictModel):
    """An optimizer of the Adam family, with Keras' settings but for the learning rate."""

    name: Literal["adam", "nadam", "rmsprop"]
    learning_rate: PositiveFloat


class SgdOptimizer(StrictModel):
    """Stochastic gradient descent. With ``batch_size: full`` it is plain gradient descent."""

    name: Literal["sgd"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]


class AdamwOptimizer(StrictModel):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat


class SgdwOptimizer(StrictModel):
    """Stochastic gradient descent with Nesterov momentum and decoupled weight decay, relative to the learning rate."""

    name: Literal["sgdw"]
    learning_rate: PositiveFloat
    momentum: Fraction
    weight_decay: NonNegativeFloat


class MuonOptimizer(StrictModel):
    """Muon for the kernels of hidden layers, with decoupled weight decay, and Adam for all other weights."""

    name: Literal["muon"]
    learning_rate: PositiveFloat
    momentum: Fraction
    weight_decay: NonNegativeFloat
    adam_learning_rate: PositiveFloat


OptimizerConfig = Annotated[
    AdaptiveOptimizer | SgdOptimizer | AdamwOptimizer | SgdwOptimizer | MuonOptimizer, Discriminator("name")
]


class ModelConfig(StrictModel):
    """How one model is trained. The options of its architecture stand beside these fields."""

    architecture: str
    split: Name
    recipe: Name
    optimizer: OptimizerConfig
    batch_size: PositiveInt | Literal["full"]
    epochs: PositiveInt
    seeds: Annotated[list[Seed], Field(min_length=1)]

    @model_validator(mode="after")
    def refuse_equal_seeds(self) -> Self:
        """Refuse a seed that counts twice, since it would hide variance."""
        if len(set(self.seeds)) < len(self.seeds):
            raise PydanticCustomError("seeds", "seeds must differ", {"key": "seeds"})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the architecture's ``build``."""
        return self.model_dump(exclude=set(ModelConfig.model_fields))


def architectures() -> list[str]:
    """Return the names of all architectures: the files in ``pipeline/architectures``."""
    return sorted(path.stem for path in ARCHITECTURES.glob("*.py") if path.stem != "__init__")


def model_schema_for(architecture: str) -> type[ModelConfig]:
    """Extend `ModelConfig` by a required field for each keyword-only argument of the architecture's ``build``.

    The signature is parsed, not imported: an architecture imports Keras, which takes seconds. Annotations may use the
    names of ``typing`` and ``pydantic``, such as ``Literal`` and ``PositiveInt``.
    """
    tree = ast.parse((ARCHITECTURES / f"{architecture}.py").read_text())
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    annotations = {"architecture": f"Literal[{architecture!r}]"}
    annotations |= {option.arg: ast.unparse(option.annotation) for option in build.args.kwonlyargs if option.annotation}
    fields: dict[str, Any] = {name: (annotation, ...) for name, annotation in annotations.items()}
    extended = pydantic.create_model(architecture, __base__=ModelConfig, **fields)
    extended.model_rebuild(_types_namespace=vars(pydantic) | vars(typing))
    return extended


if TYPE_CHECKING:
    AnyModel = ModelConfig
else:
    AnyModel = Annotated[reduce(or_, map(model_schema_for, architectures())), Discriminator("architecture")]


class Pipeline(StrictModel):
    """The models that one pipeline trains, and their recipes."""

    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    models: Annotated[dict[Name, AnyModel], Field(min_length=1)]

    def get_model(self, name: str) -> ModelConfig:
        """Return the entry `name` of ``models``, or raise InputError that names those there are."""
        if name not in self.models:
            raise InputError(f"model: found {name!r}, expected one of {', '.join(self.models)}")
        return self.models[name]

    def recipe_of(self, name: str) -> Recipe:
        """Return the recipe of the model `name`."""
        return self.recipes[self.get_model(name).recipe]

    @model_validator(mode="after")
    def refuse_wrong_names(self, info: ValidationInfo) -> Self:
        """Refuse reserved names, recipes and splits that do not exist, and names of another pipeline's models."""
        context = info.context or {}
        taken = RESERVED | dict.fromkeys(context.get("models", ()), f"{PARAMS} has a model of this name")
        splits = self.splits if isinstance(self, Config) else context.get("splits", {})
        for name, model in self.models.items():
            if name in taken:
                details = {"key": f"models.{name}", "reason": taken[name]}
                raise PydanticCustomError("name", "another name: {reason}", details)
            _refuse_unknown("a recipe", model.recipe, self.recipes, f"models.{name}.recipe")
            _refuse_unknown("a split", model.split, splits, f"models.{name}.split")
        return self


class Config(Pipeline):
    """The whole of ``params.yaml``."""

    model: Name  # the candidate, whose metrics `dvc metrics diff` compares
    published: Text | None
    data: DataConfig
    splits: Annotated[dict[Name, SplitConfig], Field(min_length=1)]

    @model_validator(mode="after")
    def refuse_unknown_candidate(self) -> Self:
        """Refuse a candidate that is no model."""
        _refuse_unknown("a model", self.model, self.models, "model")
        return self


def _refuse_unknown(kind: str, name: str, known: Iterable[str], key: str) -> None:
    if name not in known:
        context = {"key": key, "kind": kind, "known": ", ".join(known)}
        raise PydanticCustomError("name", "the name of {kind}; allowed: {known}", context)


def load_config(path: Path = PARAMS) -> Config:
    """Load all of ``params.yaml``, whatever the caller needs of it, so that a mistake anywhere stops every stage.

    Raises InputError that names file, line, key, what was found and what is allowed, for each mistake.
    """
    return load_settings(path, Config, "the parameters")


def load_pipeline(path: Path = PARAMS) -> Pipeline:
    """Load the models of the root's ``params.yaml`` or of another pipeline's, such as ``frontier/params.yaml``.

    Splits are those of the root. Raises InputError as `load_config` does.
    """
    root = load_config()
    if path == PARAMS:
        return root
    return load_settings(path, Pipeline, "recipes and models", {"models": root.models, "splits": root.splits})


@dataclass(frozen=True)
class Layout:
    """Where the pipeline of a folder keeps its files: ``.`` is the root's."""

    folder: Path

    @classmethod
    def of(cls, params: Path) -> "Layout":
        """Return the layout of the pipeline with these parameters."""
        return cls(params.parent)

    @property
    def params(self) -> Path:
        """The parameters."""
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
        """The report."""
        return self.folder / "reports"

    def predictions(self, name: str) -> Path:
        """Predictions of a model, of every seed and split."""
        return self.data / "predictions" / f"{name}.npz"

    def curves(self, name: str) -> Path:
        """Learning curves of a model's best seed."""
        return self.data / "curves" / f"{name}.csv"

    def run(self, name: str) -> Path:
        """Record of a model's training."""
        return self.data / "runs" / f"{name}.json"

    def model(self, name: str) -> Path:
        """Folder of a trained model."""
        return self.data / "models" / name

    def evaluation(self, name: str) -> Path:
        """Folder of a model's scores and tables."""
        return self.data / "evaluation" / name

    def metrics_of(self, name: str) -> Path:
        """Metrics of a model."""
        return self.metrics / f"{name}.json"

    def stage(self, stage: str, name: str = "") -> str:
        """Return what `dvc repro` takes to run a stage, for a model where it has one for each."""
        target = f"{stage}@{name}" if name else stage
        return target if self.folder == Path() else f"{self.folder}/dvc.yaml:{target}"


ROOT = Layout(Path())


def load_all() -> list[tuple[Layout, Pipeline]]:
    """Load the root's pipeline and, where there is one, the frontier's."""
    return [(Layout.of(path), load_pipeline(path)) for path in (PARAMS, FRONTIER) if path == PARAMS or path.exists()]


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

    author: Text
    title: Text
    held_out: Text


class Published(StrictModel):
    """What an article reports for a model on the test images; `accuracy` is None where it gives no number."""

    article: Text
    claim: Text
    accuracy: Fraction | None


class PublishedResults(StrictModel):
    """The whole of ``published.yaml``."""

    articles: dict[str, Article]
    models: dict[Name, Published]


def load_published(path: str | None) -> Mapping[str, Published]:
    """Load what articles report, by model, from the file that ``published`` in ``params.yaml`` names, if any.

    Raises InputError as `load_config` does.
    """
    if path is None:
        return {}
    return load_settings(Path(path), PublishedResults, "articles and models").models
