"""Write a model card from a model's results, with the front matter that Hugging Face reads."""

import ast
import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from pipeline.config_data import DataConfig, IdxData, IdxFiles
from pipeline.config_models import ARCHITECTURES
from pipeline.publish.model import ExportedModel
from pipeline.publish.rendering import render
from pipeline.report.page.data import ISSUE_SPLITS, duplicate_counts, label_issues, without_duplicates

# SHA-256 of Fashion-MNIST's training and test images, which tell it from data of the reader's own.
FASHION_MNIST_SHA256 = [
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
]
# Identifiers and names for Hugging Face.
FASHION_MNIST = {"type": "zalando-datasets/fashion_mnist", "name": "Fashion-MNIST"}
OTHER_DATA = {"type": "images", "name": "images of our own"}


def model_card(model: ExportedModel) -> str:
    """Write the card of a model in Markdown."""
    return render("README.md.j2", **_context(model)).lstrip() + "\n"


def _context(model: ExportedModel) -> dict[str, Any]:
    """Compute what the template shows."""
    result, project = model.result, model.project
    published = project.published
    claim = published.models.get(model.name)
    per_class = result.per_class.to_dict("records")
    unique = float(without_duplicates([result], project.duplicates)["unique"].item())
    return {
        "front_matter": _front_matter(model),
        "about": _describe_architecture(result.config.architecture),
        "data_name": _dataset(project.config.data)["name"],
        "result": result,
        "accuracy": model.accuracy,
        "shape": model.shape,
        "background": project.description.background,
        "licence": project.licence,
        "commit": project.commit,
        "data": model.data,
        "claim": claim,
        "article": published.articles[claim.article] if claim else None,
        "ours": bool(published.models) and claim is None,
        "sizes": {split: len(found.labels) for split, found in result.predictions.items()},
        "settings": json.dumps({"model": result.config.model_dump(), "recipe": model.recipe.model_dump()}, indent=2),
        "validation": model.scores["validation"],
        "test": model.scores["test"],
        "per_class": per_class,
        "weakest": min((row for row in per_class if row["support"]), key=lambda row: row["f1"]),
        "issues": {split: label_issues(result.best[split]) for split in ISSUE_SPLITS},
        "duplicates": duplicate_counts(project.duplicates).to_dict("records"),
        "unique": None if np.isnan(unique) else unique,
    }


def _front_matter(model: ExportedModel) -> str:
    """Write what Hugging Face reads of a card, as YAML."""
    dataset = _dataset(model.project.config.data)
    scores = {"accuracy": ("Accuracy", model.accuracy), "f1": ("Macro F1", model.result.best_scores["f1_macro"])}
    measured = {
        "task": {"type": "image-classification"},
        "dataset": {**dataset, "split": "test"},
        "metrics": [{"type": metric, "name": name, "value": value} for metric, (name, value) in scores.items()],
    }
    matter = {
        "license": model.project.licence.lower(),
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["onnx", "keras", "dvc"],
        **({"datasets": [dataset["type"]]} if dataset == FASHION_MNIST else {}),
        "metrics": list(scores),
        "model-index": [{"name": model.name, "results": [measured]}],
    }
    text = StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.dump(matter, text)
    return text.getvalue()


def _dataset(data: DataConfig) -> Mapping[str, str]:
    """Return identifier and name of the data: Fashion-MNIST's if training and test images are pinned to its content."""
    files = data.idx if isinstance(data, IdxData) else None
    if not isinstance(files, IdxFiles):  # test images held out of training images are no test split of it
        return OTHER_DATA
    pinned = [files.train_images.sha256, files.test_images.sha256]
    return FASHION_MNIST if pinned == FASHION_MNIST_SHA256 else OTHER_DATA


def _describe_architecture(name: str) -> str:
    """Return the first paragraph of an architecture's docstring."""
    docstring = ast.get_docstring(ast.parse((ARCHITECTURES / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n\n")[0]
