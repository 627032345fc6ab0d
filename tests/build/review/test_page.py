"""The review page over HTTP: what it shows, what it stores, and what it refuses."""

from __future__ import annotations

import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from rmeval.build.review.log import read_reviews
from rmeval.build.review.selection import records_to_review
from tests.build.review.browsing import Client, Page, reviewing, served
from tests.build.review.reviewed import chat_record, records_of, write_build
from tests.command import command, process
from tests.test_imports import WITHOUT


def verdicts(folder: Path, reviewer: str = "anna") -> list[tuple[str, str, str]]:
    return [(one.key, one.question, one.verdict) for one in read_reviews(folder / "4-review", reviewer)]


def right(page: Page) -> dict[str, str]:
    """The true verdict of each place of a page, in blind order."""
    marked = [text for text in page.texts if "[" in text] or page.texts
    wrong = next(text for text in marked if "[New]" in text or "[-]" in text)
    first = "incorrect" if page.texts[0] == wrong else "correct"
    return {"first": first, "second": "correct" if first == "incorrect" else "incorrect", "styles": "correct"}


def test_a_whole_review(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(3, 2))
    seen: list[str] = []
    with served(build) as client:
        page = client.get()
        while "Items:" not in page.text:
            assert page.progress.startswith(f"{len(seen)} of 5 judged")
            seen.append(page.key)
            for place, verdict in right(page).items():
                page = client.judge(page, place, verdict)
        assert sorted(seen) == ["chat/0", "chat/1", "chat/2", "code/0", "code/1"]
        assert "All items are judged" in page.text
    found = verdicts(tmp_path)
    assert len(found) == 15
    assert {(question, verdict) for _, question, verdict in found} == {
        ("chosen", "correct"),
        ("rejected", "incorrect"),
        ("styles", "correct"),
    }


def test_sides_are_hidden_unless_they_are_to_be_verified(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(8, 0))
    with served(build) as client:
        pages = [client.get(f"/item/{number}") for number in range(1, 9)]
        for page in pages:
            assert not re.search("chosen|rejected|claimed|Injected|scripted", page.text)
        assert len({right(page)["first"] for page in pages}) == 2
    with served(build, "bert", "verify") as client:
        page = client.get("/item/1")
        for text in (
            "claimed correct",
            "claimed incorrect",
            "Injected error",
            "the capital is",
            "judge:scripted: pass",
        ):
            assert text in page.text
        assert right(page)["first"] == "correct"
        page = client.judge(page, "first", "correct")
    assert verdicts(tmp_path, "bert")[0][1:] == ("chosen", "correct")


def test_undo_takes_back_the_last_verdict_and_a_stale_tab_takes_back_nothing(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(3, 0))
    with served(build) as client:
        tab = client
        start = tab.get()
        one = tab.judge(start, "first", "correct", "first thought")
        assert [one[2] for one in verdicts(tmp_path)] == ["correct"]
        two = tab.judge(one, "second", "unsure")
        stale = tab.undo(one)
        assert "nothing was changed" in stale.text
        assert len(verdicts(tmp_path)) == 2
        back = tab.undo(two)
        assert ("was taken back" in back.text, back.key) == (True, start.key)
        assert len(verdicts(tmp_path)) == 1
        again = tab.undo(back)
        assert verdicts(tmp_path) == []
        assert 'id="undo" disabled' in again.text
        changed = tab.judge(again, "first", "incorrect", 'two\nlines & "quotes"')
        assert (changed.key, "two\nlines &amp; &#34;quotes&#34;" in changed.text) == (start.key, True)
    assert [one.comment for one in read_reviews(tmp_path / "4-review", "anna")] == ['two\nlines & "quotes"']


def test_a_killed_server_loses_no_verdict_that_was_answered(tmp_path: Path) -> None:
    write_build(tmp_path, records_of(8, 4))
    answered: list[tuple[str, str, str]] = []
    for _ in range(2):
        with reviewing(tmp_path) as server:
            page = server.client.get()
            for _ in range(4):
                place = next(one for one in ("first", "second", "styles") if _is_open(page, one))
                page = server.client.judge(page, place, "unsure")
                answered.append(verdicts(tmp_path)[-1])
            server.kill()
    assert verdicts(tmp_path) == answered
    assert len(set(answered)) == 8


def test_ctrl_c_ends_the_page_and_states_how_far_the_review_is(tmp_path: Path) -> None:
    write_build(tmp_path, records_of(2, 0))
    with reviewing(tmp_path) as server:
        page = server.client.get()
        for place in ("first", "second", "styles"):
            page = server.client.judge(page, place, "correct")
        server.process.send_signal(signal.SIGINT)
        out, err = server.process.communicate(timeout=30)
        assert (server.process.returncode, out, err) == (0, "1 of 2 judged: all verdicts are stored\n", "")


def _is_open(page: Page, place: str) -> bool:
    found = re.search(rf'action="/item/\d+/{place}.*?</form>', page.text, re.DOTALL)
    return found is not None and 'aria-pressed="true"' not in found[0]


def test_untrusted_text_stays_text(tmp_path: Path) -> None:
    evil = (
        "<script>alert(1)</script> <img src=x onerror=alert(2)> [link](javascript:alert(3)) </div><mark>x</mark> "
        "\u202egnp.exe {{ 7 * 7 }} ![pixel](http://192.0.2.1/p.png) [good](https://example.org/a)\n"
    )
    build = write_build(tmp_path, [chat_record(0, "France", chosen_concise=evil)])
    with served(build, "anna", "verify") as client:
        plain = client.get("/item/1")
        assert "<script>alert" not in plain.text
        assert "<img" not in plain.text
        assert "{{ 7 * 7 }}" in plain.texts[0].replace("[", "").replace("]", "")
        assert "\\u202egnp" in plain.texts[0].replace("[", "").replace("]", "")
        shown = client.get("/item/1?view=markdown")
        assert "<script>alert" not in shown.text
        assert "<img" not in shown.text
        assert re.findall(r'<a href="([^"]*)" rel="([^"]*)">', shown.text) == [
            ("http://192.0.2.1/p.png", "noopener noreferrer nofollow"),
            ("https://example.org/a", "noopener noreferrer nofollow"),
        ]


def test_long_texts(tmp_path: Path) -> None:
    long = "word " * 400_000
    build = write_build(tmp_path, [chat_record(0, "France", chosen_concise=f"{long}yes", rejected_concise=f"{long}no")])
    with served(build, "anna", "verify") as client:
        page = client.get("/item/1?view=markdown")
        assert "shown as written" in page.text
        assert [text[-5:] for text in page.texts] == ["[yes]", " [no]"]


HOST = "127.0.0.1"


def test_requests_of_other_sites_are_refused(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(1, 0))
    with served(build) as client:
        action, fields = client.get("/item/1").form("first")
        body = "&".join(f"{name}={value}" for name, value in {**fields, "verdict": "correct"}.items())
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert client.send("GET", "/item/1", Host="evil.example").status == 421
        assert (
            client.send("POST", action, body, Host="evil.example", Origin="http://evil.example", **form).status == 421
        )
        refused: list[dict[str, str]] = [
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://{client.host}", "Sec_Fetch_Site": "cross-site"},
            {"Origin": f"http://{HOST}:1"},
        ]
        for headers in refused:
            assert client.send("POST", action, body, **headers, **form).status == 403
        assert verdicts(tmp_path) == []
        assert client.send("POST", action, body, Origin=f"http://{client.host}", **form).status == 303
        assert len(verdicts(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/item/0", 404),
        ("/item/2", 404),
        ("/item/-1", 404),
        ("/item/x", 404),
        ("/item/99999999999999999999", 404),
        ("/static/..%2f..%2fserver.py", 404),
        ("/static/../server.py", 404),
        ("/static/item.html", 404),
        ("/static/review.js", 200),
        ("/item/1?tab=../x&view=%00&filter=none&notice=<b>", 200),
    ],
)
def test_paths(client: Client, path: str, status: int) -> None:
    assert client.send("GET", path).status == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"verdict": "right"}, 400),
        ({}, 400),
        ({"verdict": "correct", "texts": "0" * 32}, 409),
        ({"verdict": "correct", "comment": "x" * 300_000}, 413),
        ({"verdict": "correct", "comment": "\ud800".encode("utf-8", "surrogatepass").hex()}, 200),
    ],
)
def test_forms(client: Client, fields: dict[str, str], status: int) -> None:
    action, hidden = client.get("/item/1").form("first")
    assert client.post(action, **{**hidden, **fields}).status == status
    assert client.post("/item/1/third", **hidden, verdict="correct").status == 400


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with served(write_build(tmp_path_factory.mktemp("review"), records_of(1, 0))) as found:
        yield found


def test_a_form_that_cannot_be_read(client: Client) -> None:
    action, hidden = client.get("/item/1").form("first")
    form = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"http://{client.host}"}
    many = urlencode({**hidden, **{f"x{number}": "1" for number in range(20)}})
    assert client.send("POST", action, many, **form).status == 400


def test_a_token_is_needed_where_it_is_wanted(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(1, 0))
    for options in ({"with_token": True}, {"host": "0.0.0.0"}):
        with served(build, **options) as found:
            client = Client(found.address.replace("0.0.0.0", "127.0.0.1"))
            query = client.address.partition("?")[2]
            assert len(query) > 30
            assert client.send("GET", "/item/1").status == 403
            assert client.send("GET", f"/item/1?{query}x").status == 403
            assert client.send("GET", "/item/1", Cookie="rmeval-review\x01=3").status == 403
            admitted = client.send("GET", f"/item/1?{query}")
            assert (admitted.status, admitted.headers["location"]) == (303, "/item/1")
            cookie = admitted.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert client.send("GET", "/item/1", Cookie=cookie.partition(";")[0]).status == 200


def test_two_reviewers_at_once_and_a_third_who_decides(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(1, 0))
    with (
        served(build, "anna", "verify") as anna,
        served(build, "bert", "verify") as bert,
    ):
        one = anna.judge(anna.get(), "first", "correct")
        one = anna.judge(one, "second", "incorrect")
        anna.judge(one, "styles", "correct")
        two = bert.judge(bert.get(), "first", "incorrect", "is it?")
        two = bert.judge(two, "second", "incorrect")
        bert.judge(two, "styles", "correct")
        assert "chat/0" in bert.get("/items?filter=disagreement").text
        assert "chat/0" in anna.get("/items?filter=disagreement").text
    with served(build, "carl", "verify", adjudicates=True) as carl:
        page = carl.get()
        assert "bert: incorrect (is it?)" in page.text
        assert len(re.findall("<fieldset>", page.text)) == 1
        done = carl.judge(page, "first", "correct")
        assert "All items are judged" in done.text
    assert [one.adjudicates for one in read_reviews(tmp_path / "4-review", "carl")] == [True]


def test_one_reviewer_has_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = write_build(tmp_path, records_of(1, 0))
    with served(build):
        done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna")
    assert done.code == 2
    assert "anna" in done.err


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    write_build(tmp_path, records_of(1, 0))
    arguments = ["build", "review", str(tmp_path), "--reviewer", "anna"]
    missing = ("starlette", "nh3", "markdown_it", "uvicorn")
    done = process("-c", WITHOUT.format(extras=missing, arguments=arguments))
    assert (done.returncode, "pip install 'rmeval[app]'" in done.stderr) == (2, True), done.stderr


def test_items_of_a_file_and_those_that_are_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = write_build(tmp_path, records_of(4, 2), needed=["chat/1", "code/0", "gone/1"])
    assert {one.key for one in records_to_review(build)} == {"chat/1", "code/0"}
    assert len(records_to_review(build, everything=True)) == 6
    file = tmp_path / "items.txt"
    file.write_text("chat/3\n\nchat/0\nchat/3\n")
    assert [one.key for one in records_to_review(build, items=file)] == ["chat/3", "chat/0"]
    file.write_text("chat/3\nchat/33\n")
    done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna", "--items", file)
    assert (done.code, "line 2: the build has no item 'chat/33': did you mean" in done.err) == (2, True), done.err
    file.write_bytes(b"chat/3\n\xff\n")
    done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna", "--items", file)
    assert (done.code, "write the keys of items in UTF-8" in done.err) == (2, True), done.err
    file.unlink()
    done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna", "--items", file)
    assert (done.code, "items.txt" in done.err, done.err.count("\n")) == (2, True, 1), done.err
    done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna", "--adjudicate")
    assert (done.code, "has no item on which others disagree" in done.err) == (2, True)
    done = command(capsys, "build", "review", tmp_path, "--reviewer", "anna", "--host", "192.0.2.1")
    assert (done.code, "choose another --port or --host" in done.err) == (2, True), done.err


def test_a_full_disk_is_stated_and_nothing_is_stored(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(2, 0))
    with served(build) as client:
        page = client.judge(client.get("/item/1?filter=all"), "first", "correct")
        size = (build.review / "reviewers" / "anna" / "0001.jsonl").stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
        try:
            failed = client.judge(page, "second", "correct")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (failed.status, "Nothing was stored" in failed.text) == (500, True)
        assert len(verdicts(tmp_path)) == 1
        assert client.judge(page, "second", "correct").status == 200
    assert len(verdicts(tmp_path)) == 2


def test_numbers_of_any_length_are_refused(tmp_path: Path) -> None:
    build = write_build(tmp_path, records_of(2, 0))
    with served(build) as client:
        for number in ("9" * 5000, "0", "3", "-1", "%D9%A1"):
            assert client.send("GET", f"/item/{number}").status == 404
        page = client.judge(client.get("/item/1"), "first", "unsure")
        for number in ("9" * 5000, "-1", "\u0661"):
            undone = client.post("/undo", lines=number, number=number)
            assert "nothing was changed" in undone.text
        assert page.status == 200
    assert len(verdicts(tmp_path)) == 1
