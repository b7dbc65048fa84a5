"""The folder of figures: what the source articles show, for every model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.dataset.parts import read_parts
from pipeline.params.schema import ModelParams
from pipeline.report.figures.accuracy_by_size import accuracy_by_size
from pipeline.report.figures.class_counts import class_counts
from pipeline.report.figures.confusion import confusion_figure
from pipeline.report.figures.hyperparameters import differing_settings, families, hyperparameter_curves
from pipeline.report.figures.learning_curves import learning_curves
from pipeline.report.figures.pixel_range import pixel_range
from pipeline.report.figures.png import write_png
from pipeline.report.figures.prediction_grid import model_grid
from pipeline.report.figures.samples import samples
from pipeline.report.figures.seeds import seed_accuracies
from pipeline.report.results import Result, trained


def write_figures(
    folder: Path,
    results: Sequence[Result],
    models: Mapping[str, ModelParams],
    classes: Sequence[str],
    data: Path = Path("data"),
) -> None:
    """Write the figures of the data, of all results, of each, and of each architecture that several models share.

    These are ``samples.png``, ``pixel_range.png`` and ``class_counts.png``; ``seeds.png`` and ``accuracy_by_size.png``;
    ``confusion`` and ``predictions`` with a figure each, and ``curves``, which ensembles have none of;
    ``hyperparameters`` with one an architecture.

    Raises InputError naming a file in `data` that is absent and the stage that makes it, or what is wrong in one.
    """
    parts, normalization = read_parts(data / "prepared.npz", data / "split.npz")
    write_png(folder / "samples.png", samples(parts["train"], classes))
    write_png(folder / "pixel_range.png", pixel_range(parts["train"].images[0], normalization))
    write_png(folder / "class_counts.png", class_counts(parts, classes))
    write_png(folder / "seeds.png", seed_accuracies(results))
    write_png(folder / "accuracy_by_size.png", accuracy_by_size(results))
    images = parts["test"].images
    for result in results:
        name = result.name
        write_png(folder / "confusion" / f"{name}.png", confusion_figure(result))
        write_png(folder / "predictions" / f"{name}.png", model_grid(name, images, result.kept["test"], classes))
    with_curves = trained(results)
    for result in with_curves:
        write_png(folder / "curves" / f"{result.name}.png", learning_curves(result))
    for architecture, names in families(models).items():
        family = [result for result in with_curves if result.name in names]
        labels = differing_settings([models[result.name] for result in family])
        curves = hyperparameter_curves([result.curves for result in family], labels)
        write_png(folder / "hyperparameters" / f"{architecture}.png", curves)
