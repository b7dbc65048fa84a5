"""Compare all models, ensembles and students: the results table, the figures and the page."""

from pathlib import Path

from pipeline.artifacts import replacing, write_csv
from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.params.reading import read_params
from pipeline.report.ensembles import read_results
from pipeline.report.figures.folder import write_figures
from pipeline.report.figures.learning_curves import validation_accuracies
from pipeline.report.figures.png import write_png
from pipeline.report.page.document import render
from pipeline.report.page.source import read_source
from pipeline.report.results import trained
from pipeline.report.tables import results_markdown, results_table


def main() -> None:
    """Write the table and a picture of all models, which are kept in git, the page, and the figures in ``figures``."""
    params = read_params()
    claims = params.report.claims
    classes = read_description().classes
    results = read_results(params, classes)
    page = render(read_source(results, claims))

    reports = Path("reports")
    write_csv(reports / "results.csv", results_table(results, claims))
    for name, text in {"results.md": results_markdown(results, claims), "index.html": page}.items():
        with replacing(reports / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    write_png(reports / "curves.png", validation_accuracies(trained(results)))
    write_figures(reports / "figures", results, params.models, classes)


if __name__ == "__main__":
    run(main)
