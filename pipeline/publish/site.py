"""Write the files of the site: landing page, reports, the page to try a model, models with cards, a DVC remote."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config import FRONTIER, ROOT, Layout, Pipeline, load_all
from pipeline.dvc_modules import DvcException, Repo
from pipeline.io import InputError, write_text
from pipeline.predict.images import PREPARED
from pipeline.programs import current_commit
from pipeline.publish.card import model_card
from pipeline.publish.model import ExportedModel, has_files, load_model, load_project, write_onnx
from pipeline.publish.rendering import REPORT_STYLE, render
from pipeline.publish.try_page import choose_model, write_try_page


class Page(NamedTuple):
    """A page that the landing page links to: its file, its title and a few words on it."""

    file: str
    title: str
    about: str


REMOTE = "published-site"  # a name that no configuration of DVC's has, so that none is merged with it
# Each pipeline's report, by the pipeline's folder.
REPORTS = {
    ROOT.folder: Page("report.html", "Report", "all models of the pipeline compared, with what they get wrong"),
    FRONTIER.parent: Page("frontier.html", "Report with the frontier", "the same with the models that train longer"),
}


def write_site(folder: Path, names: Sequence[str] | None, try_page: bool, remote: bool) -> str:
    """Write the site into a new folder.

    Args:
        folder: The folder.
        names: Models to export. None exports every model whose files are there.
        try_page: Whether to write the page that runs a model in the browser.
        remote: Whether to write the DVC remote.

    Returns:
        What was written, in words.

    Raises:
        InputError: A named model has no files, or a file is damaged or does not fit the others.
    """
    folder.mkdir()
    pipelines = load_all()
    models, missing = _load_models(pipelines, names)
    for model in models:
        place = folder / "models" / model.name
        write_onnx(place / "model.onnx", model.onnx, model.properties)
        write_text(place / "README.md", model_card(model))
    pages = _copy_reports(folder, [layout for layout, _ in pipelines])
    if models and try_page:
        pages.append(_write_try_page(folder, models))
    if remote:
        with Repo(config={"remote": {REMOTE: {"url": str(folder.resolve() / "dvc")}}}) as repo:
            try:
                repo.push(remote=REMOTE)
            except DvcException as error:
                raise InputError(f"--remote: expected that DVC copies data and models, found: {error}") from error
    landing_page = render(
        "index.html.j2",
        project=Path.cwd().name,
        commit=current_commit(),
        pages=pages,
        models=models,
        missing=missing,
        remote=remote,
        style=REPORT_STYLE.read_text(encoding="utf-8"),
    )
    write_text(folder / "index.html", landing_page)
    parts = [f"{len(models)} model{'s' * (len(models) != 1)}", *(page.file for page in pages), *["DVC remote"] * remote]
    return ", ".join(parts) + (f"; without {', '.join(missing)}, which have no files here" if missing else "")


def _load_models(
    pipelines: Sequence[tuple[Layout, Pipeline]], names: Sequence[str] | None
) -> tuple[list[ExportedModel], list[str]]:
    """Load the models, the most accurate first, and list those that are left out because they have no files."""
    places = {name: (layout, pipeline) for layout, pipeline in pipelines for name in pipeline.models}
    chosen = names or [name for name, (layout, _) in places.items() if has_files(layout, name)]
    if not chosen:
        return [], list(places)
    project = load_project()
    models = [load_model(project, *places[name], name) for name in dict.fromkeys(chosen)]
    missing = [] if names else [name for name in places if name not in chosen]
    return sorted(models, key=lambda model: -model.accuracy), missing


def _copy_reports(folder: Path, layouts: Sequence[Layout]) -> list[Page]:
    """Copy each pipeline's report, if it is there."""
    pages = []
    for layout in layouts:
        source = layout.reports / "index.html"
        page = REPORTS[layout.folder]
        if source.exists():
            shutil.copyfile(source, folder / page.file)
            pages.append(page)
    return pages


def _write_try_page(folder: Path, models: Sequence[ExportedModel]) -> Page:
    """Write the page that runs one of the models in the browser."""
    chosen = choose_model(models).name
    write_try_page(folder / "try.html", folder / "models" / chosen / "model.onnx", PREPARED)
    return Page("try.html", "Try it", f"choose a test image, drop or draw one, and see what {chosen} predicts")
