"""Write Markdown that text from a branch cannot break out of."""

from collections.abc import Sequence

MAX_TEXT = 200  # characters shown of one text
MAX_TABLE = 20_000  # characters, after which a table is cut
LOOKALIKES = str.maketrans({"`": "ˋ", "|": "¦", "\\": "∖"})  # for what could end the code or the cell


def as_code(text: str) -> str:
    """Return the text on one line as code: no markup, no link, and nobody is notified.

    All text from a branch goes through this function. Characters that could end the code or a table's cell become
    others that look like them.

    >>> as_code("a|b @team")
    '`a¦b @team`'
    """
    line = " ".join(text.split())
    if len(line) > MAX_TEXT:
        line = f"{line[:MAX_TEXT]}…"
    return f"`{as_printable(line).translate(LOOKALIKES)}`" if line else "–"


def as_printable(line: str) -> str:
    """Return the line with a replacement for each character that a terminal might act on."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> str:
    """Return a table, cut near `MAX_TABLE` characters.

    Args:
        header: The header's cells.
        rows: The cells of each row.
        numbers: How many columns, the last, are aligned to the right.

    Returns:
        The table, with the number of rows that were cut.
    """
    align = [":---"] * (len(header) - numbers) + ["---:"] * numbers
    lines = [f"| {' | '.join(cells)} |" for cells in (header, align, *rows)]
    shown, length = 0, 0
    while shown < len(lines) and length <= MAX_TABLE:
        length += len(lines[shown])
        shown += 1
    text = "\n".join(lines[:shown])
    return text if shown == len(lines) else f"{text}\n\n… and {len(lines) - shown:,} rows more."
