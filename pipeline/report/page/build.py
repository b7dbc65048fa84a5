"""Build the report as one page that needs nothing else: no other file, no network."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from vl_convert import javascript_bundle

from pipeline.data.duplicates import NEAR, repeated_in_test
from pipeline.evaluation.metrics import reliability
from pipeline.evaluation.significance import rank, variance_components
from pipeline.report.page.charts import (
    accuracies,
    accuracy_by_size,
    class_differences,
    compared_curves,
    pixel_values,
    reliability_diagram,
    samples_per_class,
    scores_by_class,
    seed_differences,
)
from pipeline.report.page.data import (
    ISSUE_SPLITS,
    Source,
    comparisons,
    duplicate_counts,
    encoded,
    images_per_class,
    issue_pictures,
    label_issues,
    model_data,
    pair_pictures,
    pixel_histogram,
    pixel_ranges,
    shown_images,
    shown_pairs,
    without_duplicates,
)
from pipeline.report.page.sprites import Sprites, columns, sprite_sheet
from pipeline.report.results import by_accuracy
from pipeline.report.tables import results_table, tied_groups, training_variance_note

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ["data.js", "table.js", "pictures.js", "charts.js", "model.js", "comparison.js", "start.js"]
CURVES_SHOWN = 3  # models whose curves are drawn at first: the best by test accuracy


def render(source: Source) -> str:
    """Render the page as HTML."""
    issues = {split: label_issues(source.selected.best[split]) for split in ISSUE_SPLITS}
    pairs = shown_pairs(source.duplicates)
    sprites = shown_images(source, issues, pairs)
    images = sprites.of(source.images)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    scripts = [_charting_library(), _verbatim("\n".join(_text(name) for name in SCRIPTS))]
    return environment.get_template("index.html.j2").render(
        style=_verbatim(_text("page.css")),
        scripts=scripts,
        script_hashes=[content_hash(script) for script in scripts],
        sheet=b64encode(sprite_sheet(images)).decode(),
        columns=columns(len(images)),
        ratio=images.shape[1] / images.shape[2],
        source=source,
        issues={split: issue_pictures(source, sprites, split, found) for split, found in issues.items()},
        pairs=pair_pictures(source, sprites, pairs),
        **_model_context(source, sprites),
        **_data_context(source),
    )


def _model_context(source: Source, sprites: Sprites) -> dict[str, Any]:
    """Compute what the template shows of the models."""
    correct = [result.correct for result in source.results]
    ranking = rank(correct)
    table = results_table(source.results, source.published)
    best = [source.results[index].name for index in by_accuracy(source.results)]
    return {
        "specs": _charts(source, table, best),
        "data": _script_data(source, sprites) | {"comparisons": comparisons(ranking)},
        "table": table.astype(object).where(table.notna(), None).to_dict("records"),
        "best": best,
        "chosen": best[:CURVES_SHOWN],
        "pairs_compared": len(ranking.pairs),
        "groups": tied_groups(source.results, ranking),
        "interval_note": training_variance_note(source.results),
        "variance": variance_components(correct, ranking),
        "machines": list(dict.fromkeys(result.run.machine for result in source.results)),
        "settings": [_settings(result.config.model_dump()) for result in source.results],
    }


def _data_context(source: Source) -> dict[str, Any]:
    """Compute what the template shows of the images."""
    return {
        "duplicates": duplicate_counts(source.duplicates).to_dict("records"),
        "near": NEAR,
        "repeated": len(repeated_in_test(source.duplicates)),
        "without_duplicates": without_duplicates(source.results, source.duplicates)
        .replace({np.nan: None})
        .to_dict("records"),
        "ranges": pixel_ranges(source.dataset.splits, source.dataset.normalization),
    }


def _charts(source: Source, table: pd.DataFrame, best: list[str]) -> dict[str, Any]:
    """Build the charts by the id of their place; `best` are the names of the models, the most accurate first."""
    results, dataset = source.results, source.dataset
    charts = {
        "accuracies": accuracies(table),
        "by-size": accuracy_by_size(table),
        "curves-chart": compared_curves(results, best[:CURVES_SHOWN]),
        "class-scores": scores_by_class(results, best[0]),
        "reliability": reliability_diagram({one.name: reliability(one.best["test"]) for one in results}, best[0]),
        "differences": class_differences(source.classes),
        "samples": samples_per_class(images_per_class(dataset.splits, source.classes)),
        "pixels": pixel_values(pixel_histogram(dataset.splits["train"].images), dataset.normalization),
    }
    repeated = [results[index] for index in by_accuracy(results) if len(results[index].correct) > 1]
    if repeated:
        charts["seeds"] = seed_differences(repeated)
    return {place: chart.to_dict() for place, chart in charts.items()}


def _script_data(source: Source, sprites: Sprites) -> dict[str, Any]:
    """Collect what the script reads: ``numbers`` uint32 (n,), ``labels`` uint8 (n,) of the picture's images, models."""
    return {
        "classes": list(source.classes),
        "columns": columns(sum(map(len, sprites.numbers.values()))),
        "numbers": encoded(np.concatenate([*sprites.numbers.values()]), "<u4"),
        "labels": encoded(sprites.of(source.labels), "u1"),
        "models": [model_data(result, sprites) for result in source.results],
    }


def _settings(config: dict[str, Any]) -> str:
    """Write a model's settings on one line, nested ones with a dot."""
    flat = pd.json_normalize(config).iloc[0].to_dict()
    return ", ".join(f"{name} {value}" for name, value in flat.items())


@cache
def _charting_library() -> Markup:
    """Bundle Vega-Lite and what it needs. This takes a second, whatever the page."""
    return _verbatim(javascript_bundle("window.vegaEmbed = vegaEmbed"))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _verbatim(text: str) -> Markup:
    """Mark the project's own style or script, or a library's, as safe. It holds no data and cannot end its element."""
    return Markup(text.replace("</script", r"<\/script"))  # noqa: S704


def content_hash(text: str) -> str:
    """Return the SHA-256 of a style or a script, as a page's policy names it."""
    return b64encode(sha256(text.encode()).digest()).decode()
