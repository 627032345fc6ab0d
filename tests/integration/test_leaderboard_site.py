"""The static site in a real browser, from disk: sorting, filtering, no requests, and rules of accessibility."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.leaderboard import build_site
from tests.browser import page_of, screenshot_folder, screenshots, scrolls_sideways, serious_violations
from tests.samples import rm_bench_rows

MODELS = ("longest", "shortest", "markdown", "random")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boards of a generated benchmark, and of one with published results; its items are not those of the pins."""
    place = tmp_path_factory.mktemp("site")
    (place / "data").mkdir()
    for domain in ("chat", "math", "code", "safety-refuse", "safety-response"):
        (place / "data" / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 6)))
    for name in MODELS:
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=place / "runs", size=200)
    rmeval.evaluate("baseline:longest", "rm-bench", str(place / "data"), out=place / "runs")
    (place / "runs" / "broken.rmeval.zip").write_bytes(b"not a bundle")
    build_site([place / "runs"], place / "out", data={"rm-bench": str(place / "data")}, title="Reward models", worst=3)
    return place / "out"


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Any]:
    with page_of(browser, (site / "index.html").as_uri(), viewport={"width": 1280, "height": 800}) as found:
        yield found


def names(board: Any) -> list[str]:
    return [one.strip() for one in board.locator("tbody tr:visible th").all_inner_texts()]


def generated(page: Any) -> Any:
    return page.locator("section.board").filter(has=page.get_by_role("heading", name="rm-bench-synthetic", exact=True))


def published(page: Any) -> Any:
    return page.locator("section.board").filter(has=page.get_by_role("heading", name="rm-bench", exact=True))


def test_it_opens_from_disk_without_requests(browser: Any, site: Path) -> None:
    context = browser.new_context()
    found = context.new_page()
    asked: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.goto((site / "index.html").as_uri())
    found.wait_for_load_state("networkidle")
    assert [one for one in asked if not one.startswith("data:")] == [(site / "index.html").as_uri()]
    context.close()


def test_columns_sort(page: Any) -> None:
    board = generated(page)
    head = board.locator("thead th", has_text="overall").first
    assert head.get_attribute("aria-sort") == "descending"
    before = names(board)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = [float(one.get_attribute("data-value")) for one in board.locator("tbody tr td:nth-child(3)").all()]
    assert values == sorted(values)
    board.get_by_role("button", name="Model", exact=True).click()
    assert names(board) == sorted(before)
    assert board.locator("thead [aria-sort]").count() == 1


def test_a_column_sorts_by_keyboard(page: Any) -> None:
    board = generated(page)
    button = board.get_by_role("button", name="Model", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert names(board) == sorted(names(board))


def test_rows_without_a_value_stay_last(page: Any) -> None:
    board = published(page)
    head = board.locator("thead th", has_text="style gap").first
    for _ in range(2):
        head.get_by_role("button").click()
        column = int(head.evaluate("head => head.cellIndex"))
        values = board.locator("tbody tr").evaluate_all(f"rows => rows.map(row => row.cells[{column}].dataset.value)")
        known = [value != "" for value in values]
        assert known == sorted(known, reverse=True)
        assert not all(known)


def test_rows_are_filtered(page: Any) -> None:
    board = published(page)
    count = board.locator("output")
    every = len(names(board))
    assert count.inner_text() == f"{every} of {every} rows"
    board.get_by_label("Model").fill("nemotron 70b")
    assert names(board)
    assert all("nemotron" in name.lower() and "70b" in name.lower() for name in names(board))
    board.get_by_label("Model").fill("")
    board.get_by_label("Published results").uncheck()
    assert all(name.startswith("baseline:") for name in names(board))
    board.get_by_label("Null baselines").uncheck()
    assert names(board) == []
    assert count.inner_text() == f"0 of {every} rows"
    board.get_by_label("Published results").check()
    board.get_by_label("Kind").select_option("GenRM")
    assert 0 < len(names(board)) < every


def test_all_numbers_are_shown_on_demand(page: Any) -> None:
    board = generated(page)
    few = board.locator("thead th:visible").count()
    board.get_by_label("All numbers").check()
    assert board.locator("thead th:visible").count() > few
    assert not scrolls_sideways(page)


def test_it_is_readable_without_scripts(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    found = context.new_page()
    found.goto((site / "index.html").as_uri())
    board = generated(found)
    assert len(names(board)) == len(MODELS)
    assert board.locator("thead button").count() == 0
    assert not board.locator(".controls").is_visible()
    assert board.locator("thead th:visible").count() == board.locator("thead th").count()
    context.close()


def test_the_page_of_a_run(page: Any) -> None:
    generated(page).get_by_role("link", name="baseline:longest").click()
    assert page.get_by_role("heading", name="baseline:longest").is_visible()
    assert page.get_by_role("heading", name="Verified").is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Bundle").click()
    assert download.value.suggested_filename.startswith("rm-bench-synthetic--baseline-longest--")
    assert serious_violations(page) == []


def test_accessibility_and_looks(browser: Any, site: Path, tmp_path: Path) -> None:
    folder = screenshot_folder(tmp_path)
    own = sorted((site / "runs").glob("rm-bench-synthetic--baseline-longest*"))
    for name, file in zip(
        ("leaderboard", "leaderboard-worst", "leaderboard-run"), (site / "index.html", *own), strict=True
    ):
        for scheme in ("light", "dark"):
            view = {"width": 390, "height": 800}
            with page_of(browser, file.as_uri(), viewport=view, color_scheme=scheme) as found:
                assert serious_violations(found) == []
                assert not scrolls_sideways(found)
                screenshots(found, folder, name)
