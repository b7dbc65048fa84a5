"""Run the command ``publish``.

The files record the commit. As a stage, it would become stale with every commit.
"""

import os
import shutil
import tempfile
from argparse import ArgumentParser, BooleanOptionalAction, Namespace, RawDescriptionHelpFormatter
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import find_model
from pipeline.io import PARTIAL, InputError, printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

INDEX = "index.html"
WRITTEN = {INDEX, "report.html", "frontier.html", "try.html", "models", "dvc"}
GENERATOR = "python -m pipeline publish"  # named by the landing page's template, so that a site of ours is known
MAX_SHOWN = 3  # files that a message names
DESCRIPTION = """\
Write a static site from the results that lie in the repository, for GitHub Pages or any other file server.

FOLDER gets a landing page, the reports, a page to try a model in the browser, and for each model an ONNX file, which
names its classes, and a model card. An earlier site in FOLDER is replaced; any other content is refused.

Models without files are left out, and the landing page names them.
"""
EPILOG = """\
examples:
  python -m pipeline publish site
  python -m pipeline publish site --model cnn1 airbench
  python -m pipeline publish site --remote
"""


def add_publish(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "publish",
        help="write a static site: report, models with cards, a page to try one",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="the site: a new or empty folder, or an earlier site"
    )
    parser.add_argument(
        "--model", metavar="NAME", nargs="+", help="only these models (default: every one whose files are there)"
    )
    parser.add_argument(
        "--try-page",
        action=BooleanOptionalAction,
        default=True,
        help="write `try.html`, which holds ONNX Runtime Web from the npm registry, or do not (default: write it)",
    )
    parser.add_argument(
        "--remote", action="store_true", help="also write the folder `dvc`, a DVC remote with all data and models"
    )
    parser.set_defaults(command=run_publish)


def run_publish(arguments: Namespace) -> None:
    """Check the arguments, write the site beside its place, then put it there.

    Raises InputError for a folder with other content, an unknown model, a named model without files, or a file that is
    damaged.
    """
    folder = Path(os.path.normpath(arguments.folder))  # `new/..` would be another folder once `new` is made
    _check_folder(folder)
    for name in arguments.model or ():
        find_model(name)
    parent, prefix = folder.absolute().parent, f"{PARTIAL}{folder.name}-"
    parent.mkdir(parents=True, exist_ok=True)
    for leftover in parent.glob(f"{escape(prefix)}????????/"):  # of a run that was killed
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as temporary:
        from pipeline.publish.site import write_site  # takes seconds, and so follows the checks

        site = Path(temporary) / "site"
        written = write_site(site, arguments.model, arguments.try_page, arguments.remote)
        if folder.exists():
            _check_folder(folder)  # again: writing takes minutes
            shutil.rmtree(folder)
        site.replace(folder)
    print(f"{written}\n{printable(folder / INDEX)}")


def _check_folder(folder: Path) -> None:
    """Raise InputError unless the folder is new, empty or a site of ours without other files."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{printable(folder)}: found a file or a link, expected a folder; name a new one")
    found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    index = folder / INDEX
    ours = index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")
    if others := sorted(found - WRITTEN if ours else found):
        shown = ", ".join(map(printable, others[:MAX_SHOWN]))
        raise InputError(f"{printable(folder)}: found {shown}, expected nothing or an earlier site; name a new folder")
