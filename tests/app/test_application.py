"""The viewer over HTTP: what it answers, what it refuses, and that hostile names and queries stay text."""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote, urlencode, urlsplit

import pytest

import rmeval
from tests.app.viewing import HOSTILE, Viewing, key_of, planted_rows, planted_score, viewing, write_run
from tests.samples import rm_bench_rows

NAME = f"{HOSTILE.strip()[:120]}\u202e'; DROP TABLE run; --"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewing]:
    """Two models on pairs, one of them with a hostile name and a long response, and a style-substance matrix."""
    folder = tmp_path_factory.mktemp("served")
    rows = planted_rows(60)
    rows[5] |= {"id": HOSTILE, "subset": HOSTILE, "prompt": HOSTILE, "chosen": "long " * 400_000, "rejected": HOSTILE}
    write_run(folder / "runs", rows, "planted", planted_score)
    write_run(folder / "runs", rows, NAME, lambda text: -float(len(text)))
    data = folder / "rm-bench"
    data.mkdir()
    for domain in ("chat", "math", "code", "safety-refuse", "safety-response"):
        (data / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 4)))
    rmeval.evaluate("baseline:longest", "rm-bench", str(data), out=folder / "runs")
    (folder / "runs" / "broken").mkdir()
    (folder / "runs" / "broken" / "run.json").write_text("{")
    with viewing(folder / "runs", folder / "index.sqlite") as found:
        yield found


class Markup(HTMLParser):
    """The elements of a page that a hostile text would have made."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []
        self.shown: list[str] = []

    @classmethod
    def of(cls, text: str) -> Markup:
        found = cls()
        found.feed(text)
        return found

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        addresses = [given.get(name) or "/" for name in ("href", "src", "srcset", "action")]
        is_own = tag != "script" or given.get("src") == "/static/view.js"
        is_plain = not any(name == "style" or name.startswith("on") for name in given)
        leads_well = all(one.startswith(("/", "#", "https://", "http://", "?")) for one in addresses)
        if not (is_own and is_plain and leads_well) or tag in ("iframe", "style", "object", "embed", "base"):
            self.harm.append(self.get_starttag_text() or tag)


def test_every_link_leads_to_a_page(served: Viewing) -> None:
    """From the leaderboard on, everything that is linked is there, and nothing of the texts is markup."""
    open_ones, seen = ["/", "/?benchmark=pairs", "/model?name=planted"], set[str]()
    while open_ones and len(seen) < 60:
        path = open_ones.pop(0)
        seen.add(path)
        page = served.get(path)
        assert page.status == 200, (path, page.problem)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        if page.headers["content-type"].startswith("text/html"):
            found = Markup.of(page.text)
            assert found.harm == [], path
            # Values of a form's options are the names themselves; what is shown has escapes.
            assert not {"\u202e", "\x1b"} & set("".join(found.shown)), path
            assert page.text.count("<script") == 1
            # Each kind of page a few times.
            kinds = [urlsplit(one).path[:8] for one in seen]
            open_ones += [
                one
                for one in page.links
                if one not in seen and one not in open_ones and kinds.count(urlsplit(one).path[:8]) < 7
            ]
    there = {urlsplit(one).path.split("/")[1] for one in seen}
    assert {"", "model", "analysis", "items", "item", "compare", "static"} <= there


def test_runs_that_cannot_be_read_are_named(served: Viewing) -> None:
    page = served.get("/")
    assert "1 run without numbers" in page.text
    assert "run.json is damaged" in page.text


def test_files_come_from_a_table_of_names(served: Viewing) -> None:
    assert served.get("/static/theme.css").headers["content-type"] == "text/css; charset=utf-8"
    assert served.get("/static/view.js").headers["content-type"].startswith("text/javascript")
    for path in (
        "/static/../pages.py",
        "/static/..%2fpages.py",
        "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static//etc/passwd",
        "/static/base.html",
        "/static/theme.css%00",
        "/static/",
        "//etc/passwd",
        "/../../etc/passwd",
        "/figure/../../etc/passwd",
        "/figure/..%2f..%2fetc/passwd",
        "/item/..%2f..%2fetc%2fpasswd",
        "/nothing",
        "/" + "x" * 5000,
    ):
        page = served.get(path)
        assert page.status == 404, path
        assert page.problem.startswith("There is no"), path
        assert "root:" not in page.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_written(served: Viewing, method: str) -> None:
    own = served.address.rstrip("/")
    for path in ("/", "/model?name=planted", "/static/theme.css"):
        assert served.get(path, method, **{"content-length": "0"}).status == 403
        page = served.get(path, method, origin=own, **{"content-length": "0"})
        assert (page.status, page.problem[:41]) == (405, "The viewer shows runs and changes nothing")
    assert served.get("/", "HEAD").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:1"])
def test_another_host_name_is_refused(served: Viewing, host: str) -> None:
    """A site that points its own name to this machine (DNS rebinding) reads nothing."""
    page = served.get("/", host=host)
    assert page.status == 421
    assert "planted" not in page.text
    port = urlsplit(served.address).port
    assert served.get("/", host=f"localhost:{port}").status == 200


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/model", "There is no run of a model ''"),
        ("/model?name=' OR 1=1 --", "There is no run of a model"),
        ("/?benchmark=nothing", "There is no board 'nothing': choose from pairs, rm-bench."),
        ("/?sort=nothing", "There is no column 'nothing': choose from model, "),
        ("/compare?run=nothing", "There is no run 'nothing': choose from the list of runs."),
        ("/compare?run=' UNION SELECT 1 --", "There is no run"),
        ("/items?run=nothing", "There is no run nothing"),
        ("/items?sort=nothing", "The address has sort='nothing': choose from"),
        ("/items?after=1", "'1' is not a place in a list of comparisons: start at its first page."),
        ("/items?subset=nothing", "There is no subset 'nothing': choose from"),
        ("/items?cell=nothing", "There is no cell 'nothing'"),
        ("/items?margin-min=x", "The address has margin-min='x': give a number."),
        ("/analysis?run=nothing", "There is no such run."),
        ("/figure/nothing/length", "There is no such run."),
    ],
)
def test_a_wrong_address_says_what_is_wrong(served: Viewing, path: str, problem: str) -> None:
    page = served.get(quote(path, safe="/?=&"))
    assert page.status in (400, 404)
    assert page.problem.startswith(problem)


@pytest.mark.parametrize(
    "typed",
    [
        '"',
        "*",
        "NEAR(",
        'NEAR("a" "b")',
        "a AND",
        "-",
        "^",
        "col:x",
        "{",
        "'",
        "\0",
        "\x1b[31m",
        "\ud800",
        "%",
        "a" * 30_000,
    ],
)
def test_any_search_is_a_search(served: Viewing, typed: str) -> None:
    address = f"/items?{urlencode({'run': key_of(served.viewer.index, 'planted'), 'q': typed}, errors='surrogatepass')}"
    page = served.get(address)
    assert page.status == 200, page.problem


def test_huge_addresses_are_refused(served: Viewing) -> None:
    place = urlsplit(served.address)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b"GET /items?q=" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    many = served.get("/compare?" + "&".join(f"run={number}" for number in range(5000)))
    assert many.status == 400
    assert served.get("/").status == 200


def test_a_page_of_a_long_response_is_short(served: Viewing) -> None:
    run = key_of(served.viewer.index, "planted")
    page = served.get(f"/items?{urlencode({'run': run, 'sort': '-length'})}")
    item = next(one for one in page.links if one.startswith("/item/"))
    shown = served.get(item)
    assert shown.status == 200
    assert len(shown.text) < 3_000_000
    assert html.escape("<script>document.title") in shown.text


def test_figures_are_images_of_their_own(served: Viewing) -> None:
    pytest.importorskip("matplotlib")
    run = key_of(served.viewer.index, "baseline:longest")
    page = served.get("/model?name=baseline:longest")
    assert f'src="/figure/{run}/matrix"' in page.text
    light, dark = (served.get(f"/figure/{run}/matrix{theme}") for theme in ("", "?theme=dark"))
    assert light.headers["content-type"] == dark.headers["content-type"] == "image/svg+xml"
    assert light.text.startswith("<?xml") and light.text != dark.text
    analysis = served.get(f"/analysis?run={run}")
    assert f'src="/figure/{run}/length"' in analysis.text
    assert served.get(f"/figure/{run}/length").status == 200
    assert served.get(f"/figure/{run}/nothing").status == 404
    assert served.get(f"/figure/{key_of(served.viewer.index, 'planted')}/matrix").status == 400


@pytest.mark.parametrize(
    ("site", "mode", "kind", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "no-cors", "image", 200),
        ("none", "navigate", "document", 200),
    ],
)
def test_other_sites_link_to_pages_and_load_none(served: Viewing, site: str, mode: str, kind: str, status: int) -> None:
    fetch = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": kind}
    assert served.get("/items", **fetch).status == status
