"""The report in a real browser, opened from its file, and through LaTeX."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.report import write_report
from tests.browser import page_of, screenshot_folder, screenshots, scrolls_sideways, serious_violations
from tests.report.page.samples import EVIL, hostile_runs
from tests.report.test_model_names import NAMES, write_runs


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of models with a matrix, of others with long names, and of some whose names and texts are hostile."""
    folder = tmp_path_factory.mktemp("report")
    for name in ("longest", "markdown", "random"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=folder / "runs", size=64)
    write_runs(folder / "named" / "runs", NAMES[:3])
    hostile_runs(folder / "hostile")
    places = [folder / "runs", folder / "named", folder / "hostile" / "runs"]
    write_report(places, folder / "out", title=f"Reward models {EVIL}", examples=2, command="rmeval report runs -o out")
    return folder / "out"


def test_the_page_opens_from_its_file_and_requests_nothing(report: Path, browser: Any, tmp_path: Path) -> None:
    requests: list[str] = []
    address = (report / "report.html").as_uri()
    with page_of(browser, "about:blank", viewport={"width": 1280, "height": 900}) as page:
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        # The icon is inside the page.
        assert [url for url in requests if not url.startswith("data:")] == [address]
        assert page.locator("h1").inner_text().startswith("Reward models <script>")
        assert page.locator("figure svg").count() >= 8
        box = page.locator("figure svg").first.bounding_box()
        assert box["width"] > 300
        assert page.evaluate("[...document.querySelectorAll('script, iframe, img, [style]')].length") == 0
        page.locator("nav a", has_text="Comparison of models").first.click()
        assert page.url.endswith("-comparison")
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.locator("mark").first.is_visible()
        assert serious_violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert serious_violations(page) == []
        screenshots(page, screenshot_folder(tmp_path), "report")


def test_a_run_opens_by_keyboard_and_the_page_fits_a_phone(report: Path, browser: Any) -> None:
    with page_of(browser, (report / "report.html").as_uri(), viewport={"width": 390, "height": 800}) as page:
        assert not scrolls_sideways(page)
        first = page.locator("summary").first
        first.focus()
        page.keyboard.press("Enter")
        assert page.locator("details").first.get_attribute("open") is not None
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert not scrolls_sideways(page)
        # The answer of a response stands below its caption, and the other response below both.
        pair = page.locator(".examples table").first
        heights = [pair.locator(name).bounding_box()["y"] for name in ("th >> nth=0", "td >> nth=0", "th >> nth=1")]
        assert heights == sorted(heights)


def test_figures_have_the_colours_of_the_theme(report: Path, browser: Any) -> None:
    with page_of(browser, (report / "report.html").as_uri(), color_scheme="light") as page:
        paper = "getComputedStyle(document.querySelector('figure svg path')).fill"
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(paper) == "rgb(13, 17, 23)"
        page.emulate_media(color_scheme="dark", media="print")
        assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_the_print_has_what_is_folded_on_the_screen(report: Path, browser: Any, tmp_path: Path) -> None:
    with page_of(browser, (report / "report.html").as_uri()) as page:
        page.emulate_media(media="print")
        assert page.locator("nav").is_hidden()
        assert page.locator("mark").first.bounding_box()["height"] > 0
        page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="apt-get install texlive-latex-recommended lmodern")
def test_the_latex_compiles(report: Path, tmp_path: Path) -> None:
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={tmp_path}", "report.tex"]
    done = subprocess.run(words, cwd=report, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").exists()
