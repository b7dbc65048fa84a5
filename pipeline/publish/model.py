"""Load what is published of a model, and write its ONNX file with everything that a reader needs to use it."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import onnx
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import Config, Layout, Pipeline, PublishedResults, load_config
from pipeline.config_errors import load_settings
from pipeline.config_models import Recipe
from pipeline.data.dataset import load_test_split
from pipeline.data.description import DESCRIPTION, Description, load_description
from pipeline.data.duplicates import load_duplicates
from pipeline.io import InputError, atomic_write, read_json, require_output
from pipeline.predict.identity import check_training_data, recorded_md5
from pipeline.predict.images import PREPARED, content_extent, is_cropped
from pipeline.predict.onnx_model import OnnxModel, onnx_file
from pipeline.programs import git
from pipeline.report.results import Result, load_result

DUPLICATES = Path("data/duplicates.csv")

Share = Annotated[float, Field(ge=0, le=1)]


class ValidationScores(BaseModel):
    """Scores of the validation split on the card: a mean over the seeds. The file may hold more."""

    model_config = ConfigDict(strict=True, frozen=True)

    accuracy: Share


class FinalScores(ValidationScores):
    """Scores of the test split on the card: means over the seeds. The last two are there for several seeds only."""

    accuracy_low: Share
    accuracy_high: Share
    f1_macro: Share
    f1_macro_low: Share
    f1_macro_high: Share
    log_loss: float
    calibration_error: Share
    accuracy_std: float | None = None
    ensemble_accuracy: Share | None = None


class Scores(BaseModel):
    """Scores of ``scores.json`` on the card."""

    model_config = ConfigDict(strict=True, frozen=True)

    validation: ValidationScores
    test: FinalScores


@dataclass(frozen=True)
class Project:
    """Settings and data that all published models share.

    Attributes:
        config: All of ``params.yaml``.
        description: Class names and background.
        commit: The commit's full hash, with ``-dirty`` if tracked files have changed since.
        licence: The licence's SPDX identifier.
        published: What articles report for the data, if any.
        duplicates: Pairs of equal and nearly equal images.
    """

    config: Config
    description: Description
    commit: str
    licence: str
    published: PublishedResults | None
    duplicates: pd.DataFrame

    @cached_property
    def content_extent(self) -> float | None:
        """Share of the frame that the content of test images fills; None where files must not be cropped."""
        if not is_cropped(self.description, self.config.data.format):
            return None
        return content_extent(load_test_split(PREPARED).images)


def load_project() -> Project:
    """Load what all models share.

    Raises InputError for a file that is absent, damaged, or holds something else.
    """
    config = load_config()
    articles = config.published
    return Project(
        config,
        load_description(),
        current_commit(),
        load_licence(),
        load_settings(Path(articles), PublishedResults, "articles and models") if articles else None,
        load_duplicates(DUPLICATES),
    )


def load_licence(path: Path = Path("pyproject.toml")) -> str:
    """Return the SPDX identifier of the project's licence.

    Raises InputError if the file names none.
    """
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["license"])
    except (KeyError, OSError, ValueError) as error:
        raise InputError(f"{path}: project.license: found none ({error}), expected an SPDX identifier") from error


def current_commit() -> str:
    """Return the full hash of the commit, with ``-dirty`` if tracked files have changed since.

    Raises InputError outside of a git repository, or before its first commit.
    """
    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "HEAD").strip() + ("-dirty" if changed else "")


@dataclass(frozen=True)
class PublishedModel:
    """A model with what its file and its card say.

    Attributes:
        project: What all models share.
        result: Settings, predictions, curves and training.
        recipe: Settings of its recipe.
        scores: Means over the seeds.
        per_class: Precision, recall, F1 and support of the best seed, a row for each class.
        onnx: Its ONNX file.
        shape: Height, width and channels of an image.
        data: MD5 of the prepared images that it was trained and tested on.
    """

    project: Project
    result: Result
    recipe: Recipe
    scores: Scores
    per_class: pd.DataFrame
    onnx: Path
    shape: tuple[int, int, int]
    data: str

    @property
    def name(self) -> str:
        """The model's name."""
        return self.result.name

    @property
    def accuracy(self) -> float:
        """The test accuracy of the network in the file: the best seed's."""
        return self.result.best_scores["accuracy"]

    @property
    def properties(self) -> dict[str, str]:
        """Metadata of its file beyond those that training has written."""
        extent = self.project.content_extent
        return {
            "class_names": json.dumps(self.result.classes),
            "background": self.project.description.background or "",
            "content_extent": "" if extent is None else str(extent),
            "data": self.data,
            "license": self.project.licence,
            "commit": self.project.commit,
            "accuracy": str(self.accuracy),
        }


def has_files(layout: Layout, name: str) -> bool:
    """Return whether all files that a model is published from are there."""
    folder = layout.evaluation(name)
    needed = [
        PREPARED,
        DESCRIPTION,
        DUPLICATES,
        layout.model(name) / "model.onnx",
        layout.predictions(name),
        layout.curves(name),
        layout.run(name),
        *(folder / file for file in ("confusion.csv", "per_class.csv", "scores.json")),
    ]
    return all(path.exists() for path in needed)


def load_model(project: Project, layout: Layout, pipeline: Pipeline, name: str) -> PublishedModel:
    """Load a model's results and look at its file.

    Args:
        project: What all models share.
        layout: Where the model's pipeline keeps its files.
        pipeline: Settings of the model's pipeline.
        name: Name of the model.

    Returns:
        The model.

    Raises:
        InputError: A file is absent, damaged, or does not fit the others.
    """
    train, evaluate = layout.stage("train", name), layout.stage("evaluate", name)
    config = pipeline.get_model(name)
    file, lock = onnx_file(layout.model(name), train), layout.folder / "dvc.lock"
    data = recorded_md5(lock, f"train@{name}", PREPARED)
    if data is None:
        raise InputError(f"{lock}: found no training of {name}, expected one; run `dvc repro {train}`")
    check_training_data(PREPARED, layout, name)
    result = load_result(layout, name, config, project.description.classes)
    scores = load_scores(require_output(layout.evaluation(name) / "scores.json", evaluate))
    per_class = load_per_class(require_output(layout.evaluation(name) / "per_class.csv", evaluate), result.classes)
    shape = OnnxModel(file, len(result.classes)).shape
    return PublishedModel(project, result, pipeline.recipes[config.recipe], scores, per_class, file, shape, data)


def load_scores(path: Path) -> Scores:
    """Load what the card shows of a model's scores.

    Raises InputError if one is absent or no score.
    """
    try:
        return Scores.model_validate(read_json(path))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, wrong['loc']))}: expected a score: {wrong['msg']}") from error


def load_per_class(path: Path, classes: Sequence[str]) -> pd.DataFrame:
    """Load a model's scores by class.

    Raises InputError for another table, or for other classes.
    """
    columns = {"class": str, "precision": float, "recall": float, "f1": float, "support": int}
    try:
        table = pd.read_csv(path, usecols=list(columns), dtype=columns, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: expected the columns {', '.join(columns)}, found: {error}") from error
    if table["class"].tolist() != list(classes):
        found = ", ".join(table["class"])
        raise InputError(f"{path}: found classes {found}, expected {', '.join(classes)} as in data/dataset.json")
    return table


def write_onnx(path: Path, source: Path, properties: Mapping[str, str]) -> None:
    """Copy an ONNX file and add properties to its metadata. The network stays as it is.

    Args:
        path: The copy.
        source: The file that training wrote.
        properties: Texts by name; one that the file has already is replaced.
    """
    model = onnx.load(source)
    present = {found.key: found.value for found in model.metadata_props}
    onnx.helper.set_model_props(model, {**present, **properties})
    with atomic_write(path) as temporary:
        onnx.save(model, temporary)
