"""The notebook runs from top to bottom on results of the pipeline."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from pipeline.io import read_json

NOTEBOOK = Path("docs/explore.ipynb")


def read_notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook: NotebookNode, kind: str) -> list[str]:
    """Return what the cells show of one media type, or printed (``text``)."""
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in shown if kind in output.get("data", {})] + [
        output[kind] for output in shown if kind in output
    ]


def test_the_notebook_is_short_and_stored_without_outputs() -> None:
    notebook = read_notebook()
    nbformat.validate(notebook)
    assert len(notebook.cells) <= 12
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


def test_the_notebook_shows_what_the_predictions_say(reproduced_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = read_notebook()
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(reproduced_folder / "docs")}}).execute()
    assert len(outputs(notebook, "image/png")) == 3  # intervals, two grids of images

    models = {"dense128", "cnn1", "mlp"}
    accuracy = {name: read_json(reproduced_folder / f"metrics/{name}.json")["test"]["accuracy"] for name in models}
    best, second, _ = sorted(models, key=lambda name: -accuracy[name])
    (printed,) = outputs(notebook, "text")
    assert printed.startswith(f"{best} - {second}: {100 * (accuracy[best] - accuracy[second]):+.2f} points, McNemar")
    table = outputs(notebook, "text/html")[0]
    assert f"{accuracy[best]:.2%}" in table
    crossed = re.findall(r"<td>(\d+)</td>", outputs(notebook, "text/html")[1])
    assert sum(map(int, crossed)) == 200  # each test image is in one cell
