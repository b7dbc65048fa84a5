"""No page shows a command that no test runs."""

import re
from pathlib import Path

import pytest

from tests.documentation import shell_blocks

PAGES = sorted(path.as_posix() for path in Path("docs").glob("*.md"))
RUN = {
    page
    for test in Path("tests").glob("test_*.py")
    for page in re.findall(r'run_page\(\w+, "([^"]+)"\)', test.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_run(page: str) -> None:
    assert page in RUN or not shell_blocks(page)
