"""Load a model's results, and export its ONNX file with everything that a reader needs to use it."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
import pandas as pd

from pipeline.config import Config, Layout, Pipeline, PublishedResults, load_config, load_published
from pipeline.config_models import Recipe
from pipeline.data.dataset import load_test_split
from pipeline.data.description import Description, load_description
from pipeline.data.duplicates import load_duplicates
from pipeline.evaluation.metrics import all_scores
from pipeline.io import InputError, atomic_write
from pipeline.predict.images import PREPARED, content_extent, is_cropped
from pipeline.predict.model import OnnxModel, check_training_data, onnx_file
from pipeline.programs import current_commit
from pipeline.report.results import Result, load_result

DUPLICATES = Path("data/duplicates.csv")


@dataclass(frozen=True)
class Project:
    """Settings and data that all exported models share.

    Attributes:
        config: All of ``params.yaml``.
        description: Class names and background.
        commit: Full hash of the commit, with ``-dirty`` if tracked files have changed since.
        licence: SPDX identifier of the licence.
        published: What articles report for the data.
        duplicates: Pairs of equal and nearly equal images.
    """

    config: Config
    description: Description
    commit: str
    licence: str
    published: PublishedResults
    duplicates: pd.DataFrame

    @cached_property
    def content_extent(self) -> float | None:
        """Share of the frame that the content of test images fills; None where files must not be cropped."""
        if not is_cropped(self.description, self.config.data.format):
            return None
        return content_extent(load_test_split(PREPARED).images)


def load_project() -> Project:
    """Load the settings and data that all exported models share.

    Raises InputError for a file that is absent, damaged, or holds something else.
    """
    config = load_config()
    return Project(
        config,
        load_description(),
        current_commit(),
        load_licence(),
        load_published(config.published),
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


@dataclass(frozen=True)
class ExportedModel:
    """A model with what its file and its card say.

    Attributes:
        project: Settings and data that all models share.
        result: Settings, predictions, curves and training of the model.
        recipe: Settings of its recipe.
        onnx: ONNX file that training wrote.
        shape: Height, width and channels of an image.
        data: MD5 of the prepared images that it was trained and tested on.
    """

    project: Project
    result: Result
    recipe: Recipe
    onnx: Path
    shape: tuple[int, int, int]
    data: str

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.result.name

    @property
    def accuracy(self) -> float:
        """Test accuracy of the best seed, whose network is in the file."""
        return self.result.best_scores["accuracy"]

    @cached_property
    def scores(self) -> dict[str, Any]:
        """Scores of each split, as in ``scores.json``."""
        return all_scores(self.result.predictions)

    @property
    def properties(self) -> dict[str, str]:
        """Metadata of the exported file beyond those that training has written."""
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
    """Return whether all files of its own that a model is exported from are there."""
    needed = [
        layout.model(name) / "model.onnx",
        layout.predictions(name),
        layout.curves(name),
        layout.run(name),
        layout.evaluation(name) / "confusion.csv",
    ]
    return all(path.exists() for path in needed)


def load_model(project: Project, layout: Layout, pipeline: Pipeline, name: str) -> ExportedModel:
    """Load a model's results and check its file.

    Args:
        project: Settings and data that all models share.
        layout: Where the model's pipeline keeps its files.
        pipeline: Settings of the model's pipeline.
        name: Name of the model.

    Returns:
        The model.

    Raises:
        InputError: A file is absent, damaged, or does not fit the others.
    """
    config = pipeline.get_model(name)
    file, data = onnx_file(layout, name), check_training_data(layout, name)
    if data is None:
        found, advice = f"found no training of {name}, expected one", f"run `dvc repro {layout.stage('train', name)}`"
        raise InputError(f"{layout.folder / 'dvc.lock'}: {found}; {advice}")
    result = load_result(layout, name, config, project.description.classes)
    shape = OnnxModel(file, len(result.classes)).shape
    return ExportedModel(project, result, pipeline.recipes[config.recipe], file, shape, data)


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
