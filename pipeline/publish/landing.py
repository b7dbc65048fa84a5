"""Write the site's landing page, in the style of the report."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.publish.card import TEMPLATES
from pipeline.publish.command import GENERATOR
from pipeline.publish.model import PublishedModel
from pipeline.report.page.build import TEMPLATES as REPORT_TEMPLATES


class Page(NamedTuple):
    """Another page of the site: its file, its title and a few words on it."""

    file: str
    title: str
    about: str


class Site(NamedTuple):
    """Contents of the landing page.

    Attributes:
        project: The name of the repository's folder.
        commit: The commit that the site is made from.
        pages: Other pages.
        models: Published models, the most accurate first.
        missing: Names of models without files.
        remote: Whether there is a DVC remote.
    """

    project: str
    commit: str
    pages: Sequence[Page]
    models: Sequence[PublishedModel]
    missing: Sequence[str]
    remote: bool


def landing_page(site: Site) -> str:
    """Write the page as HTML. It holds no script and may load nothing."""
    style = (REPORT_TEMPLATES / "page.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("index.html.j2").render(
        **site._asdict(),
        generator=GENERATOR,
        style=Markup(style),  # noqa: S704  # the project's own
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
    )
