"""The commands of README.md and of the pages in ``docs``: a fenced block ``sh id=NAME`` is one that a test runs."""

import re

from tests.helpers.clone import ROOT, Clone


def code_blocks(page: str, language: str = "sh") -> dict[str, str]:
    """Read the blocks of a page in `language` that have an id, in their order.

    >>> list(code_blocks("README.md"))[0]
    'quickstart'
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language} id=([\w-]+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(dict(blocks)) == len(blocks), f"{page}: found an id twice"
    return dict(blocks)


def run_block(clone: Clone, page: str, block: str) -> str:
    """Run one block in a shell that stops at the first failure; return what it printed."""
    return clone.run("bash", "-euo", "pipefail", "-c", code_blocks(page)[block])


def run_page(clone: Clone, page: str) -> dict[str, str]:
    """Run all blocks of a page from top to bottom, each in a shell of its own; return what each printed, by id."""
    return {block: run_block(clone, page, block) for block in code_blocks(page)}
