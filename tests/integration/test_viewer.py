"""The viewer in a real browser: sorting, filters, a planted item, keys alone, hostile texts, and every page's look."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.app.index import ItemQuery
from rmeval.models import load_model
from rmeval.runs.token_scores import token_scores_of_file
from tests.app.viewing import HOSTILE, Viewing, key_of, planted_rows, planted_score, viewing, write_run
from tests.browser import (
    SCHEMES,
    WIDTHS,
    page_of,
    press,
    screenshot_folder,
    screenshots,
    scrolls_sideways,
    serious_violations,
    visible_contrasts,
)
from tests.command import serving

SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    """Two models on pairs with a planted item, the model that comes with rmeval, and null baselines on a matrix."""
    folder = tmp_path_factory.mktemp("viewed")
    runs = folder / "runs"
    write_run(runs, planted_rows(), "planted", planted_score)
    write_run(runs, planted_rows(), "shortest", lambda text: -float(len(text)))
    for name in ("rmeval/tiny", "baseline:longest", "baseline:markdown"):
        rmeval.evaluate(name, "rm-bench-synthetic", out=runs, size=64)
    with viewing(runs, folder / "index.sqlite", models=[load_model("rmeval/tiny")]) as found:
        yield found


@pytest.fixture(scope="module")
def pages(viewed: Viewing) -> dict[str, str]:
    """An address of each kind of page."""
    index = viewed.viewer.index
    tiny, longest = key_of(index, "rmeval/tiny"), key_of(index, "baseline:longest")
    rows = index.comparisons(ItemQuery(tiny, outcome="wrong"), limit=1).rows
    return {
        "leaderboard": "",
        "items": f"items?run={tiny}&other={longest}&outcome=wrong",
        "item": f"item/{rows[0].item}?number={rows[0].number}&run={tiny}",
        "item-markdown": f"item/{rows[0].item}?number={rows[0].number}&run={tiny}&view=markdown",
        "model": "model?name=rmeval%2Ftiny",
        "analysis": f"analysis?run={tiny}",
        "compare": f"compare?run={tiny}&run={longest}",
    }


def test_the_leaderboard_sorts_and_filters(viewed: Viewing, browser: Any) -> None:
    with page_of(browser, f"{viewed.address}?benchmark=rm-bench-synthetic", viewport=SIZE) as page:
        for _ in range(2):
            with page.expect_navigation():
                page.locator("table.board thead a", has_text="hard").first.click()
            heading = page.locator("table.board thead [aria-sort]")
            place = heading.evaluate("one => one.cellIndex + 1")
            cells = page.locator(f"table.board tbody tr > :nth-child({place})").all_inner_texts()
            values = [float(str(cell).split()[0]) for cell in cells]
            assert len(set(values)) > 1
            assert values == sorted(values, reverse=heading.get_attribute("aria-sort") == "descending")
        page.locator("form.filters input[name=q]").fill("tiny")
        with page.expect_navigation():
            page.locator("form.filters button").click()
        assert page.locator("table.board tbody tr").count() == 1
        again = page.url
    with page_of(browser, again, viewport=SIZE) as page:
        assert page.locator("table.board tbody tr").count() == 1


def test_the_planted_item_is_found_and_opens_again_by_its_address(viewed: Viewing, browser: Any) -> None:
    with page_of(browser, f"{viewed.address}items", viewport=SIZE) as page:
        page.select_option("select[name=run]", label="planted")
        page.locator("form.filters button").click()
        page.wait_for_url(re.compile("of="))
        page.select_option("select[name=outcome]", "wrong")
        page.fill("#search", "bird duchy")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert "margin-min" not in page.url  # Empty fields are no part of the address.
        assert page.locator("tr[data-row]").count() == 1
        assert "Which bird is on the coin" in page.inner_text("tr[data-row]")
        with page.expect_navigation():
            page.click("tr[data-row] a")
        assert page.locator("article mark").all_inner_texts() == ["heron", "pelican"]
        assert "planted: ✗ wrong" not in page.inner_text(".verdict")  # The sign is not part of the text.
        assert page.inner_text(".verdict").startswith("planted: wrong, margin -9")
        address = page.get_attribute("a:text('Permalink')", "href")
    with page_of(browser, f"{viewed.address}{str(address).removeprefix('/')}", viewport=SIZE) as page:
        assert page.locator("article mark").all_inner_texts() == ["heron", "pelican"]


def test_with_keys_alone(viewed: Viewing, browser: Any) -> None:
    run = key_of(viewed.viewer.index, "planted")
    with page_of(browser, f"{viewed.address}items?run={run}", viewport=SIZE) as page:
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("Escape")
        assert not page.is_visible("#help")
        first = page.inner_text("tr[data-row] a")
        press(page, "n")
        assert "after=" in page.url
        press(page, "p")
        assert page.inner_text("tr[data-row] a") == first
        page.keyboard.press("/")
        page.keyboard.type("truly npj?")
        assert page.input_value("#search") == "truly npj?"
        page.keyboard.press("Escape")
        for key in ("j", "j", "ArrowDown", "k"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 2
        press(page, "Enter")
        second = page.inner_text("h1")
        press(page, "n")
        assert page.inner_text("h1") != second
        press(page, "p")
        assert page.inner_text("h1") == second
        press(page, "t")
        assert page.locator("article .text.markdown").count() == 2
        press(page, "l")
        assert page.inner_text("tr[data-row] a") == second
        # Whoever speaks to the machine turns them off, and that is kept.
        page.keyboard.press("?")
        page.click("#keys")
        page.keyboard.press("Escape")
        page.reload()
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.closest('tr')") is None


def test_without_scripts(viewed: Viewing, browser: Any) -> None:
    with page_of(browser, f"{viewed.address}items", viewport=SIZE, java_script_enabled=False) as page:
        page.select_option("select[name=run]", label="planted")
        with page.expect_navigation():
            page.click("form.filters button")
        page.select_option("select[name=subset]", "odd")
        page.select_option("select[name=sort]", "-length")
        with page.expect_navigation():
            page.click("form.filters button")
        assert page.locator("tr[data-row]").count() == 50
        with page.expect_navigation():
            page.click("a[rel=next]")
        assert page.locator("tr[data-row]").count() == 15
        with page.expect_navigation():
            page.locator("tr[data-row] a").first.click()
        assert page.locator("article").count() == 2


def test_the_score_at_each_token(viewed: Viewing, pages: dict[str, str], browser: Any, tmp_path: Path) -> None:
    with page_of(browser, f"{viewed.address}{pages['item']}", viewport=SIZE) as page:
        press(page, "s")
        lines = page.locator(".tokens")
        assert lines.count() == 2
        for number in range(2):
            text = page.locator("article .text").nth(number).inner_text()
            assert re.sub(r"\s+", "", lines.nth(number).inner_text()).startswith(re.sub(r"\s+", "", text))
        token = lines.first.locator(".t").first
        assert re.fullmatch(r"[+-][\d.e-]+, score -?[\d.e-]+", str(token.get_attribute("title")))
        shades = lines.nth(1).locator(".t").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
        assert len(set(shades)) > 4
        assert page.locator("figure polyline").count() == 2
        assert page.locator("button[data-key=s]").count() == 0
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert serious_violations(page) == []
        screenshots(page, screenshot_folder(tmp_path), "tokens")


def test_other_sites_start_no_computation(viewed: Viewing, pages: dict[str, str], browser: Any) -> None:
    target = f"{viewed.address}{pages['item'].replace('?', '/token-scores?', 1)}"
    with browser.new_context() as own:  # The browser reports a refusal as an error.
        page = own.new_page()
        page.set_content(f'<form method="post" action="{target}"><button>go</button></form>')
        with page.expect_navigation() as found:
            page.click("button")
        assert found.value.status == 403
        assert page.goto(target).status == 405


@pytest.mark.parametrize("view", ["", "&view=markdown"])
def test_hostile_texts_stay_text(tmp_path: Path, browser: Any, view: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"{HOSTILE}{k}", "prompt": HOSTILE, "chosen": f"{HOSTILE} a", "rejected": f"{HOSTILE} b"}
        | {"subset": f"{HOSTILE}{k}"}
        for k in range(2)
    ]
    rows.append({"id": "=cmd()", "prompt": "p", "chosen": "word " * 400_000, "rejected": "w" * 2_000_000})
    rows[-1]["subset"] = "long"
    write_run(tmp_path / "runs", rows, f"m{HOSTILE[:150]}", len)
    write_run(tmp_path / "runs", rows, "shortest", lambda text: -float(len(text)))
    active = "main script, main img, main iframe, main style, main [onclick], main [onerror], main [style]"
    with (
        viewing(tmp_path / "runs", tmp_path / "index.sqlite") as server,
        page_of(browser, f"{server.address}items", viewport=SIZE) as page,
    ):
        own = next(run for run in server.viewer.index.runs() if run.model != "shortest").key
        for path in ("", f"items?run={own}", f"compare?run={own}&run={key_of(server.viewer.index, 'shortest')}"):
            page.goto(f"{server.address}{path}")
            assert page.title().count("owned") == 0
            assert page.locator(active).count() == 0
            assert not scrolls_sideways(page)
        page.goto(f"{server.address}items?run={own}")
        count = page.locator("tr[data-row]").count()
        assert count == 3
        for number in range(count):
            page.goto(f"{server.address}items?run={own}")
            address = str(page.locator("tr[data-row] a").nth(number).get_attribute("href"))
            page.goto(f"{server.address}{address.removeprefix('/')}{view}")
            assert page.locator(active).count() == 0
            links = page.locator("main a").evaluate_all("all => all.map(one => one.href)")
            assert {str(link).partition(":")[0] for link in links} <= {"http", "https"}
            text = page.locator("article .text").first.inner_text()
            assert "\u202e" not in page.inner_text("main")
            if "word" not in text:
                for shown in ("<script>document.title", "<img src=x onerror", "\\u202eright", "{{ 7 * 7 }}"):
                    assert shown in text
            assert not scrolls_sideways(page)
            assert serious_violations(page) == []
        page.wait_for_timeout(200)
        assert "owned" not in page.title()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everyone_can_read_and_reach_every_page(
    viewed: Viewing, pages: dict[str, str], browser: Any, scheme: str
) -> None:
    for name, path in pages.items():
        for width in WIDTHS.values():
            size = {"width": width, "height": 800}
            with page_of(browser, f"{viewed.address}{path}", viewport=size, color_scheme=scheme) as page:
                check(page, name, scheme)


def test_a_page_that_does_not_exist_says_why(viewed: Viewing, browser: Any) -> None:
    with browser.new_context() as own:  # The browser reports the status as an error.
        page = own.new_page()
        assert page.goto(f"{viewed.address}items?run=nobody").status == 400
        assert "there is no run nobody" in page.inner_text("main").lower()
        check(page, "missing", "light")


def check(page: Any, name: str, scheme: str) -> None:
    """Rules of accessibility, contrast of marks and signs, and no page that is wider than its window."""
    assert serious_violations(page) == [], (name, scheme)
    assert not scrolls_sideways(page), name
    for text, contrast in visible_contrasts(page, "mark, .outcome, .grid td a, .notice, .claim, .excerpt, .faint"):
        assert contrast >= 4.5, (name, scheme, text)


def test_pages_to_look_at(viewed: Viewing, pages: dict[str, str], browser: Any, tmp_path: Path) -> None:
    """Each page, wide and narrow, in light and dark: RMEVAL_SCREENSHOTS names a folder to keep them."""
    folder = screenshot_folder(tmp_path)
    for name, path in pages.items():
        with page_of(browser, f"{viewed.address}{path}", viewport=SIZE) as page:
            assert all(file.stat().st_size > 5_000 for file in screenshots(page, folder, name))


def test_the_command(tmp_path: Path, browser: Any) -> None:
    """`rmeval view` as a user runs it, with token scores from a file, and a run that lands while it is open."""
    runs, talks = tmp_path / "runs", tmp_path / "talks.jsonl"
    rmeval.evaluate("rmeval/tiny", "pairs", planted_rows(3), out=runs, store_text=True)
    talks.write_text(
        "\n".join(
            json.dumps({"prompt": row["prompt"], "responses": [row["chosen"], row["rejected"]]})
            for row in planted_rows(3)
        )
    )
    token_scores_of_file(load_model("rmeval/tiny"), talks, tmp_path / "scores.jsonl")
    index, scores = ["--index", tmp_path / "index.sqlite"], ["--token-scores", tmp_path / "scores.jsonl"]
    with serving("view", runs, "--no-browser", *index, *scores) as (address, process):
        with page_of(browser, f"{address}items", viewport=SIZE) as page:
            reload_until(page, lambda: page.locator("tr[data-row]").count() > 0)
            with page.expect_navigation():
                page.click("tr[data-row] a")
            assert page.locator(".tokens").count() == 2
            write_run(runs, planted_rows(3), "landed", planted_score)
            page.goto(f"{address}items")
            reload_until(page, lambda: "landed" in page.locator("select[name=run]").inner_text())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def reload_until(page: Any, holds: Callable[[], bool]) -> None:
    """A busy machine may show a page before it has read the runs, which the page states."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(200)
        page.reload()
    raise AssertionError(page.inner_text("main"))
