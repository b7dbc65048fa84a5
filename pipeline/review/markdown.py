"""Markdown that text from a branch cannot break out of."""

from collections.abc import Sequence

import pandas as pd

LONGEST = 200  # characters shown of one text


def code(text: str) -> str:
    """The text on one line in a table's cell, as code: no markup, no link, and nobody is notified.

    Text that could end the code or the cell is written as character references.
    """
    line = " ".join(text.split())
    if len(line) > LONGEST:
        line = f"{line[:LONGEST]}…"
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    if line and not set(line) & set("`|\\"):
        return f"`{line}`"
    return f"<code>{''.join(c if c.isalnum() or c == ' ' else f'&#{ord(c)};' for c in line)}</code>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0, most: int = 20_000) -> str:
    """A table whose last `numbers` columns are aligned to the right, cut after a row near `most` characters."""
    shown, length = 0, 0
    while shown < len(rows) and length <= most:
        length += sum(map(len, rows[shown]))
        shown += 1
    align = ["left"] * (len(header) - numbers) + ["right"] * numbers
    frame = pd.DataFrame(rows[:shown], columns=list(header))
    text = frame.to_markdown(index=False, disable_numparse=True, colalign=align)
    return text if shown == len(rows) else f"{text}\n\n… and {len(rows) - shown:,} rows more."
