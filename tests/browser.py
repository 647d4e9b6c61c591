"""Chromium, driven from here: pages at desktop and phone size, screenshots, the accessibility check. For every test."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # tests that need no browser need not load its driver
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

AXE = Path(__file__).resolve().parents[1] / "api" / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATIENCE_MS = 15_000


@dataclass(frozen=True, slots=True)
class Screen:
    """A kind of machine that people sit at."""

    name: str
    width: int
    height: int
    touch: bool


DESKTOP = Screen("desktop", 1366, 768, touch=False)
PHONE = Screen("phone", 390, 844, touch=True)


def _absent(reason: str) -> None:
    """Skip, but never in CI: there the browser is part of the machine."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The installed Chromium, or the one that TYNDAU_CHROMIUM names."""
    names = (os.environ.get("TYNDAU_CHROMIUM", ""), *CHROMIUMS)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        _absent("no Chromium here; install the package chromium or set TYNDAU_CHROMIUM")
    return str(found)


@pytest.fixture(scope="module")
def playwright_driver() -> Iterator[Playwright]:
    """One driver for a module: while it lives, this thread has a running event loop, which other tests cannot use."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chromium(chromium_path: str, playwright_driver: Playwright) -> Iterator[Browser]:
    """One browser for a module; each test has its own context."""
    # A root user (CI containers) has no sandbox; sound may begin by a key press of the test.
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    browser = playwright_driver.chromium.launch(executable_path=chromium_path, args=arguments)
    yield browser
    browser.close()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the browser itself found wrong: a script error, or a breach of the content security policy."""

    kind: str
    text: str


OpenPage = Callable[..., "Page"]


@pytest.fixture
def complaints() -> list[Complaint]:
    """Everything the browser complained of during the test; empty when all is well."""
    return []


@pytest.fixture
def open_page(chromium: Browser, complaints: list[Complaint]) -> Iterator[OpenPage]:
    """`open_page(screen, language="kk", theme="light")`: a page in a fresh context, nobody signed in."""
    contexts: list[BrowserContext] = []

    def make(screen: Screen = DESKTOP, language: str = "kk", theme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": screen.width, "height": screen.height},
            has_touch=screen.touch,
            color_scheme="dark" if theme == "dark" else "light",
            locale="en-US",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        chosen = f"localStorage.setItem('tyndau.language', {json.dumps(language)})"
        context.add_init_script(f"if (!localStorage.getItem('tyndau.language')) {chosen}")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        _collect(page, complaints)
        return page

    yield make
    for context in contexts:
        context.close()


def _collect(page: Page, complaints: list[Complaint]) -> None:
    page.on("pageerror", lambda error: complaints.append(Complaint("script", str(error))))
    page.on(
        "console",
        lambda message: (
            complaints.append(Complaint("policy", message.text))
            if "Content Security Policy" in message.text or "ERR_BLOCKED" in message.text
            else None
        ),
    )


@pytest.fixture(scope="session")
def shots() -> Path:
    """Where screenshots go: TYNDAU_SHOTS, else a new folder under the system's temporary one."""
    named = os.environ.get("TYNDAU_SHOTS")
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="tyndau-shots-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The text of axe-core, installed by npm with the front end's development packages."""
    if not AXE.is_file():
        _absent("axe-core is not installed; run `python hatch_build.py ci`")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
def accessibility(axe_source: str) -> Callable[[Page], list[str]]:
    """`accessibility(page)`: breaches of WCAG 2.2 AA, one line each with the element."""

    def check(page: Page) -> list[str]:
        # Evaluated by the driver, not as a script element: the page's policy would refuse that.
        page.evaluate(axe_source)
        found: dict[str, Any] = page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})",
            WCAG,
        )
        return [
            f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return check
