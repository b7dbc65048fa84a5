"""The page of the benchmarks, ``benchmarks/README.md``, into which each of them puts its table."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from pipeline.artifacts import replacing

PAGE = Path("benchmarks/README.md")


def put_into_page(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the page's markers of `name`."""
    section = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    whole = section.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page.read_text(encoding="utf-8"))
    with replacing(page) as temporary:
        temporary.write_text(whole, encoding="utf-8")


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table whose first column is text and whose others are figures."""
    table = pd.DataFrame(rows)
    align = ["left", *["right"] * (table.shape[1] - 1)]
    return f"{table.to_markdown(index=False, disable_numparse=True, colalign=align)}\n"


def seconds(value: float) -> str:
    """Two digits that count."""
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def spread(ratios: Sequence[float]) -> str:
    """Median, least and most.

    >>> spread([0.5, 0.25, 0.4])
    '0.40 (0.25–0.50)'
    """
    return f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
