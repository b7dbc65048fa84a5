"""Put a benchmark's table into its page, which is ``benchmarks/README.md`` by default."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.io import write_text
from pipeline.programs import git
from tools.update_readme import fill

PAGE = Path("benchmarks/README.md")
ROUNDS = 5  # by default


def put_into_page(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the text between the page's markers of `name`."""
    write_text(page, fill(page.read_text(encoding="utf-8"), {name: f"\n\n{text}\n"}))


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Format a table whose first column is text and whose other columns are numbers."""
    table = pd.DataFrame(rows)
    align = ["left", *["right"] * (table.shape[1] - 1)]
    return f"{table.to_markdown(index=False, disable_numparse=True, colalign=align)}\n"


def seconds(value: float) -> str:
    """Format with two significant digits.

    >>> seconds(0.0149), seconds(4.39)
    ('0.015', '4.4')
    """
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def commit() -> str:
    """Return the commit that is measured, with ``-dirty`` if files beside the benchmarks' results differ."""
    results = (":!benchmarks/*.csv", ":!benchmarks/*.png", ":!benchmarks/README.md")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *results)
    return git("rev-parse", "--short", "HEAD").strip() + ("-dirty" if changed else "")
