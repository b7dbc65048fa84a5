"""The report as one page that needs nothing else: no other file, no network."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from vl_convert import javascript_bundle

from pipeline.dataset.duplicates import NEAR, repeated_in_test
from pipeline.evaluation.calibration import reliability
from pipeline.evaluation.ranking import rank
from pipeline.evaluation.variance import divide_variance
from pipeline.report.page.curve_chart import learning_curves
from pipeline.report.page.dataset import (
    doubtful,
    duplicate_counts,
    images_per_class,
    pixel_histogram,
    pixel_ranges,
    without_duplicates,
)
from pipeline.report.page.dataset_charts import pixel_values, samples_per_class
from pipeline.report.page.model_charts import (
    accuracies,
    class_differences,
    class_scores,
    reliability_diagram,
    seed_differences,
)
from pipeline.report.page.models import comparisons, encoded, model_data
from pipeline.report.page.pictures import doubtful_pictures, pair_pictures, shown_images, shown_pairs
from pipeline.report.page.size_chart import accuracy_by_size
from pipeline.report.page.source import Source
from pipeline.report.page.sprites import Sprites, columns, sprite_sheet
from pipeline.report.tables import best_first, groups_of_equals, results_table

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ["data.js", "table.js", "pictures.js", "charts.js", "model.js", "comparison.js", "start.js"]
CURVES_SHOWN = 3  # models whose curves are drawn before the reader chooses: the best by test accuracy


def render(source: Source) -> str:
    """The page as HTML."""
    judge = _judge(source)
    doubts = {part: doubtful(source.predictions[judge][part]) for part in ("validation", "test")}
    pairs = shown_pairs(source.duplicates)
    sprites = shown_images(source, doubts, pairs)
    table = results_table(source.results, source.claims)
    right = [result.right for result in source.results]
    ranking = rank(right)
    trainings = [result.right for result in source.trained]
    best = [source.results[place].name for place in best_first(source.results)]
    chosen = [source.trained[place].name for place in best_first(source.trained)][:CURVES_SHOWN]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    scripts = [
        _charting_library(),
        _verbatim("\n".join(_text(name) for name in SCRIPTS)),
    ]
    images = sprites.of(source.images)
    template = environment.get_template("index.html.j2")
    return template.render(
        style=_verbatim(_text("page.css")),
        scripts=scripts,
        script_hashes=[_hash(script) for script in scripts],
        sheet=b64encode(sprite_sheet(images)).decode(),
        columns=columns(len(images)),
        ratio=images.shape[1] / images.shape[2],
        specs=_specs(source, table, best[0], chosen),
        data=_data(source, sprites) | {"comparisons": comparisons(ranking)},
        source=source,
        pairs_compared=len(ranking.pairs),
        groups=groups_of_equals(source.results, ranking),
        variance=divide_variance(trainings, rank(trainings)),
        table=table.astype(object).where(table.notna(), None).to_dict("records"),
        best=best,
        chosen=chosen,
        kinds={result.kind.name for result in source.results},
        doubts={part: doubtful_pictures(source, sprites, part, found) for part, found in doubts.items()},
        judge=source.results[judge].name,
        pairs=pair_pictures(source, sprites, pairs),
        duplicates=duplicate_counts(source.duplicates).to_dict("records"),
        near=NEAR,
        left_out=len(repeated_in_test(source.duplicates)),
        without_duplicates=without_duplicates(source.results, source.duplicates)
        .replace({np.nan: None})
        .to_dict("records"),
        ranges=pixel_ranges(source.parts, source.normalization),
    )


@cache
def _charting_library() -> Markup:
    """Vega-Lite and what it needs; to put it together takes a second, whatever the page."""
    return _verbatim(javascript_bundle("window.vegaEmbed = vegaEmbed"))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _verbatim(text: str) -> Markup:
    """The project's own style or script or a library's, without anything of the data; it cannot end its element."""
    return Markup(text.replace("</script", r"<\/script"))  # noqa: S704


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


def _judge(source: Source) -> int:
    """Which model says what labels are doubtful: the best on the validation part, as the test part chooses nothing."""
    accuracies = [np.mean(found["validation"].predicted == found["validation"].labels) for found in source.predictions]
    return int(np.argmax(accuracies))


def _specs(source: Source, table: pd.DataFrame, first: str, chosen: Sequence[str]) -> dict[str, Any]:
    """The charts by the id of their place: `first` is the model that is shown, `chosen` are those with curves."""
    results, counts = source.results, images_per_class(source.parts, source.classes)
    tables = {
        result.name: reliability(found["test"].labels, found["test"].probabilities)
        for result, found in zip(results, source.predictions, strict=True)
    }
    charts = {
        "accuracies": accuracies(table),
        "by-size": accuracy_by_size(table),
        "curves-chart": learning_curves(source.trained, chosen),
        "class-scores": class_scores(results, first),
        "reliability": reliability_diagram(tables, first),
        "differences": class_differences(source.classes),
        "samples": samples_per_class(counts),
        "pixels": pixel_values(pixel_histogram(source.parts["train"].images), source.normalization),
    }
    repeated = [source.trained[place] for place in best_first(source.trained) if len(source.trained[place].right) > 1]
    if repeated:
        charts["seeds"] = seed_differences(repeated)
    return {place: chart.to_dict() for place, chart in charts.items()}


def _data(source: Source, sprites: Sprites) -> dict[str, Any]:
    """What the script reads; ``numbers`` uint32 (n,) and ``labels`` uint8 (n,) describe each image of the picture."""
    return {
        "classes": list(source.classes),
        "columns": columns(sum(map(len, sprites.numbers.values()))),
        "numbers": encoded(np.concatenate([*sprites.numbers.values()]), "<u4"),
        "labels": encoded(sprites.of(source.labels), "u1"),
        "models": [
            model_data(result, found["test"], sprites)
            for result, found in zip(source.results, source.predictions, strict=True)
        ],
    }
