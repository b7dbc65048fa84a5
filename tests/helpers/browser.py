"""Open pages in a real browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

# Without these, Chromium asks for a sandbox that containers lack, and calls home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, or fail where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("PATH: found no chromium, which these tests drive; `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def opened(
    browser: Browser,
    file: Path,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    ready: str = "html.drawn",
) -> Iterator[Page]:
    """Open the page and see to it that, to the end of the test, nothing was complained of or asked for."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", offline=True
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("html.drawn")
    yield page
    context.close()
    assert said == []
    assert [address for address in asked if not address.startswith("data:")] == [file.as_uri()]


def serious_violations(page: Page, section: str | None = None, rule: str | None = None) -> list[Any]:
    """Return what axe finds, by all its rules or one, to bar people from the page or a section of it.

    Each is a rule and the first element.
    """
    violations = Axe().run(page, section, {"runOnly": [rule]} if rule else None).response["violations"]
    serious = [found for found in violations if found["impact"] in ("serious", "critical")]
    return [(found["id"], found["nodes"][0]["html"]) for found in serious]
