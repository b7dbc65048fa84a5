"""Measure what a model predicts for ``docs/photographs``, and which images are out of distribution."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.page import markdown, put_into_page
from pipeline.config import find_model
from pipeline.data.dataset import Arrays, load_prepared
from pipeline.data.description import Description, load_description
from pipeline.io import run
from pipeline.predict.images import PREPARED, Example, content_extent, load_file
from pipeline.predict.model import OnnxModel, onnx_file
from pipeline.predict.outliers import QUANTILE, OutlierDetector

PAGE = Path("docs/predict.md")
FOLDER = Path("docs/photographs")
SAMPLED = 1000  # images of each kind

Images = npt.NDArray[np.uint8]
Measure = Callable[[Images], npt.NDArray[np.floating]]
"""Return how far each image is from the data: larger is farther."""


def photographs_markdown(
    examples: Mapping[str, Example], model: OnnxModel, classes: list[str], detector: OutlierDetector
) -> str:
    """Format the predictions for photographs, by the class that each shows, and count the correct ones.

    Args:
        examples: A photograph of each class, by the class's name.
        model: Model that predicts.
        classes: Class names of the model.
        detector: Detector of images that are out of distribution.

    Returns:
        A table in Markdown, and a sentence.
    """
    rows = []
    for actual, example in examples.items():
        (probabilities,) = model.predict(example.pixels[np.newaxis])
        best = int(probabilities.argmax())
        rows.append(
            {
                "It shows": actual,
                "Predicted": classes[best],
                "Probability": f"{probabilities[best]:.0%}",
                "Out of distribution": "yes" if detector.is_outlier(example.pixels) else "",
            }
        )
    correct = sum(row["It shows"] == row["Predicted"] for row in rows)
    return f"{markdown(rows)}\n{correct} of {len(rows)} are correct.\n"


def measures_markdown(measures: Mapping[str, Measure], usual: Images, kinds: Mapping[str, Images]) -> str:
    """Format which share of the images of each kind a measure marks as out of distribution.

    Each has the threshold that the same share of usual images exceeds.
    """
    rows = []
    for name, measure in measures.items():
        threshold = np.quantile(measure(usual), QUANTILE)
        shares = {kind: f"{np.mean(measure(images) > threshold):.1%}" for kind, images in kinds.items()}
        rows.append({"Marked by": name, **shares})
    return markdown(rows)


def nearest(known: Images) -> Measure:
    """Return the measure of the distance to the nearest known image."""
    values = known.reshape(len(known), -1).astype(np.float32)
    lengths = (values**2).sum(axis=1)

    def distances(images: Images) -> npt.NDArray[np.floating]:
        others = images.reshape(len(images), -1).astype(np.float32)
        return np.asarray((lengths - 2 * others @ values.T).min(axis=1) + (others**2).sum(axis=1))

    return distances


def sample_kinds(data: Arrays, photographs: Images) -> dict[str, Images]:
    """Return images like the data, and images unlike them, to try measures on."""
    train = data["train_images"][:SAMPLED]
    noise = np.random.default_rng(0).integers(0, 256, train.shape).astype(np.uint8)
    return {
        "Training images": train,
        "Drawn pictures": photographs,
        "Inverted training images": 255 - train,
        "Uniform noise": noise,
    }


def measure(data: Arrays, description: Description, model: OnnxModel) -> str:
    """Return both tables for a model and its data."""
    test, classes = data["test_images"], description.classes
    extent = content_extent(test)
    files = {name: FOLDER / f"{name.split('/')[0].lower().replace(' ', '-')}.jpg" for name in classes}
    examples = {name: load_file(file, model.shape, description, extent=extent) for name, file in files.items()}
    detector = OutlierDetector.of(test)
    assert detector is not None  # noqa: S101  # for types: there are enough images
    measures: dict[str, Measure] = {
        "reconstruction error by PCA": detector.errors,
        "distance to the nearest test image": nearest(test[::2]),
        "highest class probability": lambda images: -model.predict(images).max(axis=1),
    }
    kinds = sample_kinds(data, np.stack([example.pixels for example in examples.values()]))
    photographs = photographs_markdown(examples, model, classes, detector)
    return f"{photographs}\n{measures_markdown(measures, test[1::2], kinds)}"


def main() -> None:
    """Write the tables into ``docs/predict.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photographs", description=__doc__)
    parser.add_argument("model", help="a model of params.yaml or frontier/params.yaml that is trained")
    name = parser.parse_args().model
    layout, _ = find_model(name)
    description = load_description()
    model = OnnxModel(onnx_file(layout, name), len(description.classes))
    tables = measure(load_prepared(PREPARED), description, model)
    text = f"{tables}\nThe model is `{name}`.\n"
    put_into_page("photographs", text, PAGE)
    print(text)


if __name__ == "__main__":
    run(main)
