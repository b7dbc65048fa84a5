"""Print the test accuracy of models beside the published one: ``python -m tools.show_result [NAME …]``."""

import sys
from collections.abc import Iterable
from typing import Any

from pipeline.config import ROOT, Layout, Published, find_model, load_config, load_published
from pipeline.io import read_json, require_output, run

TOP = 5  # models printed if none is named


def describe(name: str, layout: Layout, published: Published | None) -> str:
    """Put a model's accuracy and the published accuracy into a line."""
    metrics = load_metrics(name, layout)
    test, seeds = metrics["test"], metrics["seeds"]
    of_seeds = f"mean of {seeds} seeds" if seeds > 1 else "1 seed"
    text = f"{name}: test accuracy {100 * test['accuracy']:.2f} % ({of_seeds})"
    return f"{text}; article {published.article} reports {published.claim}" if published else text


def most_accurate(names: Iterable[str]) -> list[str]:
    """Return the most accurate models of the root pipeline, the best first."""
    return sorted(names, key=lambda name: -load_metrics(name, ROOT)["test"]["accuracy"])[:TOP]


def load_metrics(name: str, layout: Layout) -> dict[str, Any]:
    """Load a model's metrics file, or raise InputError that names the stage that writes it."""
    return read_json(require_output(layout.metrics_of(name), layout.stage("evaluate", name)))


def main() -> None:
    """Print a line for each model that is named, or for the most accurate."""
    config = load_config()
    published = load_published(config.published).models
    for name in sys.argv[1:] or most_accurate(config.models):
        layout, _ = find_model(name)
        print(describe(name, layout, published.get(name)))


if __name__ == "__main__":
    run(main)
