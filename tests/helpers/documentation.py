"""The commands of README.md and of the pages in ``docs``: what is shown as ``sh`` is what a test runs."""

import re

from tests.helpers.clone import ROOT, Clone


def shell_blocks(page: str) -> list[str]:
    """The blocks of a page that are marked as ``sh``, in their order."""
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def run_page(clone: Clone, page: str) -> list[str]:
    """Run all blocks of a page from top to bottom, each in a shell of its own that stops at the first failure.

    Gives what each block printed.
    """
    return [clone.run("bash", "-euo", "pipefail", "-c", block) for block in shell_blocks(page)]
