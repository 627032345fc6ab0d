"""Pages in a real browser: errors of scripts, rules of accessibility, colours, and screenshots.

The fixture `browser` is in tests/integration/conftest.py:

    with page_of(browser, address, viewport={"width": 390, "height": 800}, color_scheme="dark") as page:
        assert serious_violations(page) == []
        screenshots(page, screenshot_folder(tmp_path), "items")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "SCHEMES",
    "WIDTHS",
    "launched",
    "page_of",
    "press",
    "screenshot_folder",
    "screenshots",
    "scrolls_sideways",
    "serious_violations",
    "visible_contrasts",
]

WIDTHS = {"wide": 1280, "narrow": 390}
SCHEMES = ("light", "dark")


@contextmanager
def launched() -> Iterator[Any]:
    """The browser that apt installs; the test is skipped, and says so, where it or playwright is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, headless=True)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def page_of(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """A page of a new browser profile; an error of a script or of the security policy fails the test."""
    own = browser.new_context(**context)
    page = own.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto(address)
    yield page
    own.close()
    assert errors == [], errors


def press(page: Any, key: str) -> None:
    """Press a key that leads to another page, and wait for it."""
    with page.expect_navigation():
        page.keyboard.press(key)


def serious_violations(page: Any) -> list[str]:
    """What axe-core finds wrong on the page with impact serious or critical: rule, element, and why.

    The page's security policy stays in force: the rules come in through the debugger, which it does not concern.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']}: {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def scrolls_sideways(page: Any) -> bool:
    """Whether the page, and not only a region of it, is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def screenshot_folder(default: Path) -> Path:
    """Where screenshots go: the folder that the variable RMEVAL_SCREENSHOTS names, to look at them afterwards."""
    folder = Path(os.environ.get("RMEVAL_SCREENSHOTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def screenshots(page: Any, folder: Path, name: str) -> list[Path]:
    """Take the whole page wide and narrow, in light and in dark: NAME-wide-light.png and so on."""
    before = page.viewport_size
    found = []
    for kind, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found.append(folder / f"{name}-{kind}-{scheme}.png")
            page.screenshot(path=found[-1], full_page=True)
    page.emulate_media(color_scheme="null")
    page.set_viewport_size(before)
    return found


_COLOURS = """elements => elements.filter(one => one.checkVisibility()).map(element => {
  let back = element;
  while (back && getComputedStyle(back).backgroundColor === 'rgba(0, 0, 0, 0)') back = back.parentElement;
  return [element.innerText, getComputedStyle(element).color, getComputedStyle(back).backgroundColor];
})"""


def visible_contrasts(page: Any, selector: str) -> Iterator[tuple[str, float]]:
    """Each visible element's text, and the contrast of its colour to what is behind it (WCAG: 4.5 is enough)."""
    for text, *colours in page.locator(selector).evaluate_all(_COLOURS):
        one, two = sorted(map(_luminance, colours), reverse=True)
        yield text, (one + 0.05) / (two + 0.05)


def _luminance(colour: str) -> float:
    values = [int(one) / 255 for one in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
