"""Print the test accuracy of models beside the published one: ``python -m tools.show_result NAME …``."""

import sys

from pipeline.config import Layout, Published, find_model, load_config, load_published
from pipeline.io import read_json, require_output, run


def describe(name: str, layout: Layout, published: Published | None) -> str:
    """Put a model's accuracy, its interval and the published accuracy into a line."""
    metrics = read_json(require_output(layout.metrics_of(name), layout.stage("evaluate", name)))
    test, seeds = metrics["test"], metrics["seeds"]
    accuracy = f"{100 * test['accuracy']:.2f} %"
    text = f"{name}: {accuracy} of the test images are correct ({seeds} seed{'s' if seeds > 1 else ''})"
    return f"{text}; article {published.article} reports {published.claim}" if published else text


def main() -> None:
    """Print a line for each model, or for the candidate if there is none."""
    config = load_config()
    published = load_published(config.published)
    for name in sys.argv[1:] or [config.model]:
        layout, _ = find_model(name)
        print(describe(name, layout, published.get(name)))


if __name__ == "__main__":
    run(main)
