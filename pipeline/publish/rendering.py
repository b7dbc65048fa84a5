"""Render the templates of the site's pages and of the model cards."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import pipeline.report.page
from pipeline.report.tables import escape_markdown

TEMPLATES = Path(__file__).parent / "templates"
REPORT_STYLE = Path(pipeline.report.page.__file__).parent / "templates/page.css"


def render(template: str, **context: Any) -> str:
    """Render a template. Texts are escaped in HTML; in Markdown, the template has to filter them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"markdown": escape_markdown, "sha256": _hash}
    return environment.get_template(template).render(**context)


def _hash(text: str) -> str:
    """Return the SHA-256 of a style or a script, as a page's policy names it."""
    return b64encode(sha256(text.encode()).digest()).decode()
