"""What ``params.yaml`` may hold.

The schema refuses and never changes: unknown keys, wrong types and values out of range are errors, no field has a
default and nothing is converted. So an edit here cannot change a result, and no stage declares these modules as a
dependency.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.params.options import architectures, with_options
from pipeline.params.recipes import Recipe
from pipeline.params.section import Section

Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Side = Annotated[int, Field(ge=1, le=4096)]
FileName = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$")]
LocalFolder = Annotated[str, StringConstraints(pattern=r"^data/local(/[\w-][^/\\]*)*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://\S+$")]
DebianPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
ClassName = Annotated[str, StringConstraints(pattern=r"^\P{Cc}+$")]  # without control characters
Text = Annotated[str, StringConstraints(min_length=1)]


# Names that nothing may have; nor may a parameter have the last two.
TAKEN = {
    "candidate": "metrics/candidate.json is the candidate's",
    "size": "DVC's run cache overlooks parameters called so",  # github.com/treeverse/dvc/issues/10296
    "nfiles": "DVC's run cache overlooks parameters called so",
}


class UrlSource(Section):
    """Files below an HTTPS address."""

    url: HttpsUrl


class DebianSource(Section):
    """Files inside a package of the machine's Debian or Ubuntu archive."""

    debian: DebianPackage


class FolderSource(Section):
    """Files in a local folder, relative to the repository."""

    folder: Text


def _kind(source: Any) -> str | None:
    """Tag of a source: its first key, whether it was validated already or not."""
    keys = type(source).model_fields if isinstance(source, Section) else source
    return next(iter(keys), None) if isinstance(keys, dict) else None


Source = Annotated[
    Annotated[UrlSource, Tag("url")] | Annotated[DebianSource, Tag("debian")] | Annotated[FolderSource, Tag("folder")],
    Discriminator(_kind, custom_error_type="source", custom_error_message="a source is one of url, debian, folder"),
]


class RawFile(Section):
    """A file as the sources name it, and the SHA-256 of its unpacked content."""

    name: FileName
    sha256: Sha256 | None


class IdxFiles(Section):
    """The four files of the IDX form."""

    train_images: RawFile
    train_labels: RawFile
    test_images: RawFile
    test_labels: RawFile


class CsvFiles(Section):
    """The two files of the CSV form."""

    train: RawFile
    test: RawFile


class SeparateFolder(Section):
    """Test images that lie in a folder of their own."""

    folder: LocalFolder


class HeldOut(Section):
    """Test images that are held out of the training folder, the same share of each class."""

    share: Share
    seed: Seed


class Size(Section):
    """Height and width of an image in pixels."""

    height: Side
    width: Side


def _separation(test: Any) -> str:
    """Tag of how test images are told from training images, whether it was validated already or not."""
    if isinstance(test, dict):
        return "separate" if "folder" in test else "held out"
    return "separate" if isinstance(test, SeparateFolder) else "held out"


class ImageFolders(Section):
    """Folders with a folder of images for each class, and what the images become."""

    train: LocalFolder
    test: Annotated[
        Annotated[SeparateFolder, Tag("separate")] | Annotated[HeldOut, Tag("held out")], Discriminator(_separation)
    ]
    resize: Size | None
    color: Literal["grey", "rgb"]

    @model_validator(mode="after")
    def refuse_equal_folders(self) -> Self:
        """Test images that are training images would test nothing."""
        if isinstance(self.test, SeparateFolder) and self.test.folder == self.train:
            raise PydanticCustomError("folders", "another folder than for training", {"key": "test.folder"})
        return self


class DataParams(Section):
    """Where the data comes from and how it is read."""

    sources: Annotated[list[Source], Field(min_length=1)]
    format: Literal["idx", "csv", "images"]
    idx: IdxFiles
    csv: CsvFiles
    images: ImageFolders
    transposed: bool
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=256)] | None
    normalization: Literal["minmax", "standard"]

    @model_validator(mode="after")
    def refuse_equal_classes(self) -> Self:
        """Two classes of one name could not be told apart in a table."""
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise PydanticCustomError("classes", "class names must differ", {"key": "classes"})
        return self

    @model_validator(mode="after")
    def refuse_transposed_files(self) -> Self:
        """Files that `predict` is given would have to be transposed too."""
        if self.transposed and self.format == "images":
            raise PydanticCustomError("transposed", "false with format images", {"key": "transposed"})
        return self


class SplitParams(Section):
    """How the training images are divided."""

    validation: Share
    seed: Seed


class AdaptiveOptimizer(Section):
    """An optimizer of the Adam family, at Keras' settings but for the learning rate."""

    name: Literal["adam", "nadam", "rmsprop"]
    learning_rate: PositiveFloat


class SgdOptimizer(Section):
    """Stochastic gradient descent; with ``batch_size: full``, plain gradient descent."""

    name: Literal["sgd"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(ge=0, lt=1)]


class AdamwOptimizer(Section):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat


class SgdwOptimizer(Section):
    """Stochastic gradient descent with Nesterov's momentum and decoupled weight decay, a share of the learning rate."""

    name: Literal["sgdw"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: NonNegativeFloat


class MuonOptimizer(Section):
    """Muon for the kernels of hidden layers, with decoupled weight decay; Adam for all else, at a rate of its own."""

    name: Literal["muon"]
    learning_rate: PositiveFloat
    momentum: Annotated[float, Field(gt=0, lt=1)]
    weight_decay: NonNegativeFloat
    adam_learning_rate: PositiveFloat


OptimizerParams = Annotated[
    AdaptiveOptimizer | SgdOptimizer | AdamwOptimizer | SgdwOptimizer | MuonOptimizer, Discriminator("name")
]


class ModelParams(Section):
    """How one model is trained; the options of its architecture stand beside these fields."""

    architecture: str
    recipe: Name
    optimizer: OptimizerParams
    batch_size: PositiveInt | Literal["full"]
    epochs: PositiveInt
    seeds: Annotated[list[Seed], Field(min_length=1)]

    @model_validator(mode="after")
    def refuse_equal_seeds(self) -> Self:
        """A seed that counts twice would pass for less chance than there is."""
        if len(set(self.seeds)) < len(self.seeds):
            raise PydanticCustomError("seeds", "seeds must differ", {"key": "seeds"})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the architecture's ``build``."""
        return self.model_dump(exclude=set(ModelParams.model_fields))


class StudentParams(ModelParams):
    """A model that learns from an ensemble too: `weight` is its teacher's share in the loss, beside the labels'."""

    teacher: Name
    temperature: PositiveFloat
    weight: Annotated[float, Field(gt=0, le=1)]

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the architecture's ``build``."""
        return self.model_dump(exclude=set(StudentParams.model_fields))


class EnsembleParams(Section):
    """Models whose answers are averaged: of each the network of the seed that is kept, or those of all its seeds."""

    members: Annotated[dict[Name, Literal["kept", "all"]], Field(min_length=1)]


if TYPE_CHECKING:
    AnyModel = ModelParams
    AnyStudent = StudentParams
else:
    AnyModel, AnyStudent = (
        Annotated[reduce(or_, (with_options(name, base) for name in architectures())), Discriminator("architecture")]
        for base in (ModelParams, StudentParams)
    )


class Claim(Section):
    """What the article behind a model says it reaches."""

    article: Text
    claim: Text
    accuracy: Share | None


class ReportParams(Section):
    """What the report says beside the measured figures."""

    claims: dict[Name, Claim]


class Params(Section):
    """The whole of ``params.yaml``."""

    model: Name
    data: DataParams
    split: SplitParams
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    models: Annotated[dict[Name, AnyModel], Field(min_length=1)]
    ensembles: dict[Name, EnsembleParams]
    students: dict[Name, AnyStudent]
    report: ReportParams

    @property
    def trained(self) -> dict[str, ModelParams]:
        """Every entry that a network is trained for: models, then students."""
        return {**self.models, **self.students}

    @property
    def names(self) -> list[str]:
        """Models, ensembles and students, in this order: all that the report compares."""
        return [*self.models, *self.ensembles, *self.students]

    @model_validator(mode="after")
    def refuse_names_that_are_taken(self) -> Self:
        """No two of models, ensembles and students have one name, and none takes the candidate's file."""
        sections: dict[str, Mapping[str, Section]] = {
            "models": self.models,
            "ensembles": self.ensembles,
            "students": self.students,
        }
        taken = dict(TAKEN)
        for section, entries in sections.items():
            for name in entries:
                if name in taken:
                    context = {"key": f"{section}.{name}", "reason": taken[name]}
                    raise PydanticCustomError("name", "another name: {reason}", context)
                taken[name] = f"{section} has one called so"
        return self

    @model_validator(mode="after")
    def refuse_unknown_names(self) -> Self:
        """What is spoken of exists: the candidate, recipes, members, teachers, those that make a claim."""
        _refuse_unknown("a model", [self.model], self.names, "model")
        for name, params in self.trained.items():
            section = "models" if name in self.models else "students"
            _refuse_unknown("a recipe", [params.recipe], self.recipes, f"{section}.{name}.recipe")
        for name, ensemble in self.ensembles.items():
            _refuse_unknown("a model", ensemble.members, self.models, f"ensembles.{name}.members", named=True)
        for name, student in self.students.items():
            _refuse_unknown("an ensemble", [student.teacher], self.ensembles, f"students.{name}.teacher")
        _refuse_unknown("a model", self.report.claims, self.names, "report.claims", named=True)
        return self


def _refuse_unknown(kind: str, found: Iterable[str], known: Iterable[str], key: str, named: bool = False) -> None:
    """Raise unless each name of `found` is one of `known`; with `named`, the names are keys below `key`."""
    for name in found:
        if name not in known:
            context = {"key": f"{key}.{name}" if named else key, "kind": kind, "known": ", ".join(known) or "none"}
            raise PydanticCustomError("name", "the name of {kind}; allowed: {known}", context)
