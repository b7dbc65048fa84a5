"""Compare all models in tables, figures and a page."""

from argparse import ArgumentParser
from pathlib import Path

from pipeline.config import PARAMS, Layout, load_config, load_pipeline, load_published
from pipeline.data.description import load_description
from pipeline.io import run, write_csv, write_text
from pipeline.report.figures.models import validation_accuracies, write_figures
from pipeline.report.figures.style import write_png
from pipeline.report.page.build import render
from pipeline.report.page.data import load_source
from pipeline.report.results import load_results
from pipeline.report.tables import results_markdown, results_table, summary


def main() -> None:
    """Write the tables, a picture of the learning curves and the page; the root's report also has a folder of figures.

    The report of another pipeline compares its models with the root's.
    """
    parser = ArgumentParser(prog="python -m stages.report", description=__doc__)
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameters of the pipeline (default: %(default)s)")
    params = parser.parse_args().params
    published = load_published(load_config().published).models
    results = load_results(
        [(Layout.of(path), load_pipeline(path)) for path in dict.fromkeys([PARAMS, params])],
        load_description().classes,
    )
    source = load_source(results, published)

    reports = Layout.of(params).reports
    write_csv(reports / "results.csv", results_table(results, published))
    for name, text in {"results.md": results_markdown(results, published), "index.html": render(source)}.items():
        write_text(reports / name, text)
    write_png(reports / "curves.png", validation_accuracies(results))
    if params == PARAMS:
        write_figures(reports / "figures", results, source.dataset)
    print(f"{summary(results)}\n{reports / 'index.html'}: {len(results)} models compared")


if __name__ == "__main__":
    run(main)
