"""Render the templates of the site's pages and of the model cards."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pipeline.report.page.build import TEMPLATES as REPORT_TEMPLATES
from pipeline.report.page.build import content_hash
from pipeline.report.tables import escape_markdown

TEMPLATES = Path(__file__).parent / "templates"
REPORT_STYLE = REPORT_TEMPLATES / "page.css"


def render(template: str, **context: Any) -> str:
    """Render a template. Texts are escaped in HTML; in Markdown, the template has to filter them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markdown": escape_markdown, "sha256": content_hash}
    return environment.get_template(template).render(**context)
