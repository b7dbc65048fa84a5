"""The figures that the source articles show beside curves and confusion: the data, and predictions."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.artifacts import existing
from pipeline.dataset.parts import read_parts
from pipeline.evaluation.predictions import read_predictions
from pipeline.report.figures.class_counts import class_counts
from pipeline.report.figures.pixel_range import pixel_range
from pipeline.report.figures.png import write_png
from pipeline.report.figures.prediction_grid import model_grid
from pipeline.report.figures.samples import samples


def write_article_figures(
    folder: Path, models: Iterable[str], classes: Sequence[str], data: Path = Path("data")
) -> None:
    """Write ``samples.png``, ``pixel_range.png``, ``class_counts.png`` and ``predictions/<model>.png``.

    Raises InputError naming a file in `data` that is absent and the stage that makes it, or what is wrong in one.
    """
    parts, normalization = read_parts(
        existing(data / "prepared.npz", "preprocess"), existing(data / "split.npz", "split")
    )
    write_png(folder / "samples.png", samples(parts["train"], classes))
    write_png(folder / "pixel_range.png", pixel_range(parts["train"].images[0, ..., 0], normalization))
    write_png(folder / "class_counts.png", class_counts(parts, classes))
    images = parts["test"].images[..., 0]
    for model in models:
        predictions = read_predictions(data / "predictions" / f"{model}.npz", len(classes))
        write_png(folder / "predictions" / f"{model}.png", model_grid(model, images, predictions["test"], classes))
