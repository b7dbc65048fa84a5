"""No page shows a command that no test runs, names code that is not there, or links nowhere."""

import re
from pathlib import Path

import pytest

from tests.helpers.documentation import code_blocks

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(path.as_posix() for path in Path("docs").glob("*.md"))]
TESTS = [path.read_text(encoding="utf-8") for path in sorted(Path("tests").glob("test_*.py"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_has_an_id(page: str) -> None:
    text = Path(page).read_text(encoding="utf-8")
    assert re.findall(r"^```sh\s*$", text, re.MULTILINE) == [], "```text is for what nothing runs"


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_is_run_by_a_test(page: str) -> None:
    tests = [text for text in TESTS if f'"{page}"' in text]
    if not any(re.search(rf'run_page\(\w+, (PAGE|"{page}")\)', text) for text in tests):
        run = {block for text in tests if "run_block(" in text for block in re.findall(r'"([\w-]+)"', text)}
        assert code_blocks(page).keys() <= run


@pytest.mark.parametrize("page", [*PAGES, "benchmarks/README.md", "CHANGELOG.md"])
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", Path(page).read_text(encoding="utf-8")):
        path = Path(page).parent / target if target else Path(page)
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8").lower(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", [*PAGES, "benchmarks/README.md"])
def test_code_that_a_page_names_exists(page: str) -> None:
    text = Path(page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:pipeline|stages|tools|tests|configs|sweeps|frontier|benchmarks)/[\w./]*)`", text)
    examples = re.compile("NAME|strided")
    assert [path for path in named if not examples.search(path) and not Path(path).exists()] == []
