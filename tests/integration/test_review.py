"""The review page in a real browser: keys alone, marks, hostile texts, an end of the server, and two reviewers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmeval.build.review.log import read_reviews
from tests.browser import page_of, press, scrolls_sideways, serious_violations, visible_contrasts
from tests.build.review.browsing import Running, reviewing
from tests.build.review.reviewed import chat_record, records_of, write_build
from tests.http_server import free_port

EVIL = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<style>body{display:none}</style></div></article></main>[click](javascript:document.title='owned') "
    '<a href="javascript:alert(1)" onclick="alert(1)">here</a> \u202eright to left\u202c '
    "![p](http://192.0.2.1/pixel.png) <iframe srcdoc='<script>top.document.title=1</script>'></iframe> {{ 7 * 7 }}\n"
)


def stored(folder: Path, reviewer: str = "anna") -> list[tuple[str, str, str, str]]:
    found = read_reviews(folder / "4-review", reviewer)
    return [(one.key, one.question, one.verdict, one.comment) for one in found]


def progress(page: Any) -> str:
    return str(page.inner_text("header label[for=progress]"))


def test_a_whole_review_with_keys_alone(tmp_path: Path, browser: Any) -> None:
    write_build(tmp_path, records_of(3, 1))
    with reviewing(tmp_path) as server, page_of(browser, server.client.address) as page:
        assert progress(page) == "0 of 4 judged"
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("Escape")
        assert not page.is_visible("#help")
        for number in range(4):
            assert page.locator("form.question.active legend").inner_text() == "Is response A correct?"
            marked = page.locator("article").nth(0).locator("mark").all_inner_texts()
            is_wrong = marked in (["New"], ["-"])
            press(page, "i" if is_wrong else "c")
            press(page, "c" if is_wrong else "i")
            if number == 2:
                page.keyboard.press("m")
                page.keyboard.type("cannot say: c i u n z")
                page.keyboard.press("Escape")
            press(page, "u" if number == 2 else "c")
        assert progress(page) == "4 of 4 judged, 1 unsure"
        assert "All items are judged" in page.inner_text("main")
        found = stored(tmp_path)
        assert len(found) == 12
        assert {(question, verdict) for _, question, verdict, _ in found} == {
            ("chosen", "correct"),
            ("rejected", "incorrect"),
            ("styles", "correct"),
            ("styles", "unsure"),
        }
        assert [comment for *_, comment in found if comment] == ["cannot say: c i u n z"]
        page.goto(f"{server.client.address}item/4?filter=all")
        press(page, "z")
        assert len(stored(tmp_path)) == 11
        assert page.locator(".notice").inner_text() == "The last verdict was taken back."
        press(page, "p" if page.locator("#previous").count() else "n")
        press(page, "3")
        assert page.locator("a.tab[aria-current]").inner_text().startswith("Detailed, markdown")
        press(page, "t")
        assert page.locator(".text.markdown").count() == 2
        press(page, "4")
        assert page.locator("article").count() == 6


def test_marks_are_the_words_that_differ(tmp_path: Path, browser: Any) -> None:
    first = (
        "# Rates\n\n1. The rate is **4.5%** a year.\n2. It was `fixed` in May.\n\nSee [the law](https://example.org)."
    )
    second = (
        "# Rates\n\n1. The rate is **5.5%** a year.\n2. It was `dropped` in May.\n\nSee [the law](https://example.com)."
    )
    write_build(tmp_path, [chat_record(0, "France", chosen_concise=first, rejected_concise=second)])
    with reviewing(tmp_path, "anna", "--mode", "verify") as server:
        address = f"{server.client.address}item/1?tab=concise"
        with page_of(browser, address) as page:
            for sign, marks in (("chosen", ["4", "fixed", "org"]), ("rejected", ["5", "dropped", "com"])):
                article = page.locator(f"article[aria-label='{sign.title()} response']")
                assert article.locator("mark").all_inner_texts() == marks
                assert article.locator(".text").inner_text() == (first if sign == "chosen" else second)
        with page_of(browser, f"{address}&view=markdown") as page:
            right = page.locator("article").nth(0)
            assert right.locator("mark").all_inner_texts() == ["4", "fixed"]
            assert right.locator("ol > li").count() == 2
            assert right.locator("strong").inner_text() == "4.5%"
            assert right.locator("code mark").inner_text() == "fixed"
            assert right.locator("a").get_attribute("href") == "https://example.org"


@pytest.mark.parametrize("view", ["", "&view=markdown"])
def test_hostile_text_stays_text(tmp_path: Path, browser: Any, view: str) -> None:
    record = chat_record(0, "France", chosen_concise=EVIL, rejected_concise=f"{EVIL} other", chosen_detailed_plain=EVIL)
    write_build(tmp_path, [record])
    active = "main script, main img, main iframe, main style, main [onclick], main [onerror]"
    with (
        reviewing(tmp_path, "anna", "--mode", "verify") as server,
        page_of(browser, f"{server.client.address}item/1?tab=all{view}") as page,
    ):
        page.wait_for_timeout(200)
        assert page.title().startswith("chat/0")
        assert page.locator("main article").count() == 6
        assert page.locator(active).count() == 0
        links = page.locator("article a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert {str(link).partition(":")[0] for link in links} <= {"http", "https"}
        text = page.locator("article .text").nth(0).inner_text()
        for shown in ("<script>document.title", "<img src=x onerror", "\\u202eright to left", "{{ 7 * 7 }}", "<iframe"):
            assert shown in text
        press(page, "c")
    assert len(stored(tmp_path)) == 1


def test_a_killed_server_has_every_verdict_that_was_shown(tmp_path: Path, browser: Any) -> None:
    write_build(tmp_path, records_of(6, 0))
    port, shown = str(free_port()), 0
    own = browser.new_context()
    page = own.new_page()
    for start in range(3):
        with reviewing(tmp_path, "anna", "--port", port) as server:
            page.goto(server.client.address)
            unsure = f", {-(-shown // 3)} unsure" if shown else ""
            assert progress(page) == f"{shown // 3} of 6 judged{unsure}"
            for _ in range(4):
                press(page, "u")
                shown += 1
            page.keyboard.press("m")
            page.keyboard.type(f"draft {start}")
            server.kill()
            page.keyboard.press("Escape")
            page.keyboard.press("u")  # Nobody answers.
            assert len(stored(tmp_path)) == shown
    with reviewing(tmp_path, "anna", "--port", port) as server:
        page.goto(server.client.address)
        # The comment that was on its way is still there.
        assert page.locator("form.question.active textarea").input_value() == "draft 2"
    own.close()


def test_two_browsers_at_once_and_a_second_tab(tmp_path: Path, browser: Any) -> None:
    write_build(tmp_path, records_of(2, 0))

    def judged(server: Running, verdicts: str) -> None:
        with page_of(browser, f"{server.client.address}item/1?filter=all") as page:
            for key in verdicts:
                press(page, key)

    with (
        reviewing(tmp_path, "anna", "--mode", "verify") as anna,
        reviewing(tmp_path, "bert", "--mode", "verify") as bert,
    ):
        judged(anna, "cic")
        judged(bert, "iic")
        with page_of(browser, f"{anna.client.address}items?filter=disagreement") as page:
            assert page.locator(".items tbody tr").count() == 1
        with page_of(browser, f"{anna.client.address}item/2?filter=all") as one:
            two = one.context.new_page()
            two.goto(one.url)
            press(two, "c")
            press(one, "z")  # The first tab does not know of that verdict.
            assert "Another page has written since" in one.locator(".notice").inner_text()
            assert len(stored(tmp_path)) == 4
            press(one, "z")
            assert len(stored(tmp_path)) == 3
    assert len(stored(tmp_path, "bert")) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everyone_can_read_and_reach_it(tmp_path: Path, browser: Any, scheme: str, width: int) -> None:
    write_build(tmp_path, [chat_record(0, "France", chosen_concise="unbroken" * 100)])
    size = {"width": width, "height": 800}
    with (
        reviewing(tmp_path, "anna", "--mode", "verify") as server,
        page_of(browser, f"{server.client.address}item/1", viewport=size, color_scheme=scheme) as page,
    ):
        assert not scrolls_sideways(page)
        assert serious_violations(page) == []
        for text, contrast in visible_contrasts(page, "p, h1, h2, h3, a, button:enabled, legend, mark, .text, dt"):
            assert contrast >= 4.5, text
        controls = page.locator("main button, main textarea")
        for place in range(controls.count()):
            assert controls.nth(place).evaluate("one => (one.labels?.length || one.textContent.trim().length) > 0")
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
        assert len([one for one in reached if one.startswith("<button name=")]) == 3
        assert len([one for one in reached if one.startswith("<textarea")]) == 1
