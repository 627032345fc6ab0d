"""The static site: what is on it, what is refused, and that text from outside stays text."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

import rmeval
from rmeval.leaderboard import build_site
from rmeval.results import bundle_run
from tests.command import command, running
from tests.forger import Forger
from tests.samples import pair_rows

HOSTILE = "=cmd()<script>alert(1)</script>\u202e[red]\x1b[31m\\input{x}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for name in ("longest", "markdown"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=24)
    return out


@pytest.fixture(scope="module")
def bundles(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of two runs, of a third under a hostile name, and one that is damaged."""
    place = tmp_path_factory.mktemp("bundles")
    for run in sorted(runs.rglob("run.json")):
        bundle_run(run.parent, place / f"{run.parent.parent.name}.rmeval.zip")
    forger = Forger(place / "baseline-longest.rmeval.zip", tmp_path_factory.mktemp("forged"))
    forger.manifest(lambda manifest: manifest["identity"].update(model="sha256:0123"))
    forger.manifest(lambda manifest: manifest["model"].update(name=HOSTILE, kind="<b>kind</b>"))
    (place / "hostile.rmeval.zip").write_bytes(forger.submit().read_bytes())
    (place / "bad.rmeval.zip").write_bytes((place / "baseline-longest.rmeval.zip").read_bytes()[:-100])
    return place


@pytest.fixture(scope="module")
def site(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    found = build_site([bundles], out, title="Models <of> ours")
    assert (found.runs, [one.source.name for one in found.refused]) == (3, ["bad.rmeval.zip"])
    return out


class Page(HTMLParser):
    """The tags and links of a page, and the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]


def test_every_link_leads_to_a_file(site: Path) -> None:
    pages = [site / "index.html", *sorted((site / "runs").iterdir())]
    assert len(pages) == 4
    for file in pages:
        links = [value for name, value in Page(file.read_text()).attributes if name in ("href", "src")]
        local = [link for link in links if not link.startswith(("#", "data:", "https://"))]
        assert local
        assert all((file.parent / link).is_file() for link in local), local


def test_text_from_outside_stays_text(site: Path) -> None:
    for file in sorted(site.rglob("*.html")):
        text = file.read_text()
        page = Page(text)
        assert page.tags.count("script") == (file.name == "index.html")
        assert "<b>" not in text
        assert "<of>" not in text
        assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
        assert not [value for name, value in page.attributes if name == "href" and value.startswith("javascript")]
        assert not set(text) & {"\x1b", "\u202e"}
        assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", text)


def test_downloads_have_all_numbers(site: Path) -> None:
    (table,) = (site / "boards").glob("*.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    names = [row["model"] for row in rows]
    assert sum(name.startswith("'=cmd()") for name in names) == 1
    by_name = {row["model"]: row for row in rows}
    longest = by_name["baseline:longest"]
    assert longest["state"] == "verified"
    assert longest["run"].startswith("rm-bench-synthetic--baseline-longest--")
    assert float(longest["overall low"]) <= float(longest["overall"]) <= float(longest["overall high"])
    stored = json.loads(table.with_suffix(".json").read_text())
    assert len(stored["rows"]) == len(rows)
    assert str(stored["rows"][0]["overall"]) == rows[0]["overall"]


def test_what_is_not_verified_is_on_no_board(site: Path) -> None:
    text = (site / "index.html").read_text()
    board, _, refused = text.partition("Not verified</h2>")
    assert "bad.rmeval.zip" in refused
    assert "is not a bundle or is damaged" in refused
    assert "bad.rmeval.zip" not in board
    assert str(site.parent.parent) not in text


def test_readers_can_verify_the_bundles_of_the_site(site: Path) -> None:
    files = sorted((site / "bundles").iterdir())
    assert len(files) == 3
    with zipfile.ZipFile(files[0]) as archive:
        assert "metrics.json" in archive.namelist()


def test_the_same_bundles_give_the_same_site(site: Path, bundles: Path, runs: Path, tmp_path: Path) -> None:
    build_site([bundles], tmp_path / "again", title="Models <of> ours")
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.*"))
    assert all((site / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_runs_become_bundles_and_what_is_gone_is_removed(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    assert build_site([runs], out).runs == 2
    (out / "README.md").write_text("mine")
    (out / "site.json").write_text(
        (out / "site.json").read_text().replace('"index.html"', '"index.html", "../away", "README.md"')
    )
    (tmp_path / "away").write_text("not of the site")
    first = next(path for path in runs.rglob("baseline-longest"))
    assert build_site([first], out, with_bundles=False, published=False).runs == 1
    assert len(list((out / "runs").iterdir())) == 1
    assert list((out / "bundles").iterdir()) == []
    assert (out / "README.md").exists()
    assert (tmp_path / "away").exists()


def test_texts_are_shown_on_demand(bundles: Path, site: Path, tmp_path: Path, rm_bench_folder: Path) -> None:
    assert not list((site / "runs").glob("*-worst.html"))
    rmeval.evaluate("baseline:longest", "rm-bench", str(rm_bench_folder), out=tmp_path / "runs")
    places = [bundles / "baseline-longest.rmeval.zip", tmp_path / "runs"]
    data = {"rm-bench": str(rm_bench_folder)}
    found = build_site(places, tmp_path / "site", data=data, worst=2)
    assert (found.runs, found.notes) == (2, ())
    pages = sorted((tmp_path / "site" / "runs").glob("*-worst.html"))
    assert [page.name.partition("--")[0] for page in pages] == ["rm-bench", "rm-bench-synthetic"]
    assert "What is the capital of land" in pages[0].read_text()
    for page in pages:
        own = page.with_name(page.name.replace("-worst", ""))
        assert f'href="{page.name}"' in own.read_text()
    (pairs := tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(8)))
    rmeval.evaluate("baseline:longest", "pairs", str(pairs), out=tmp_path / "others")
    without = build_site([tmp_path / "others"], tmp_path / "second", worst=2)
    assert without.notes == ("no texts of pairs are shown: give them with `data` pairs=PLACE",)


def test_the_page_of_something_else_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text("my page")
    done = command(capsys, "leaderboard", "build", tmp_path, "-o", tmp_path)
    message = f"error: {tmp_path / 'index.html'} is not of a leaderboard: give another folder with -o\n"
    assert (done.code, done.err) == (2, message)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("index.html", "my page")]


def test_an_empty_folder_gives_an_empty_site(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    found = build_site([tmp_path / "bundles"], tmp_path / "site")
    assert found.runs == 0
    assert "There are no verified runs yet." in (tmp_path / "site" / "index.html").read_text()


def test_the_command_line(bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "leaderboard", "build", bundles, "-o", tmp_path / "site", "--no-published")
    assert done.code == 0
    assert "(3 runs on 1 board)" in done.out
    assert "not verified: bad.rmeval.zip" in done.err
    missing = command(capsys, "leaderboard", "build", tmp_path / "nothing", "-o", tmp_path / "site")
    assert missing.code == 2
    assert "there is no file or folder" in missing.err
    wrong = command(capsys, "leaderboard", "build", bundles, "--data", "folder")
    assert wrong.code == 2
    assert "give it as BENCHMARK=PLACE" in wrong.err


@pytest.mark.slow
def test_a_watched_place_may_come_later_and_have_half_a_bundle(bundles: Path, tmp_path: Path) -> None:
    place, index = tmp_path / "bundles", tmp_path / "site" / "index.html"
    data = (bundles / "baseline-longest.rmeval.zip").read_bytes()
    watched = running("leaderboard", "build", place, "-o", index.parent, "--watch", "--no-published")

    def wait_for(text: str) -> None:
        for _ in range(600):
            if index.exists() and text in index.read_text():
                return
            assert watched.poll() is None, watched.stderr and watched.stderr.read()
            time.sleep(0.1)
        raise AssertionError(text)

    try:
        wait_for("There are no verified runs yet.")
        place.mkdir()
        (place / "one.rmeval.zip").write_bytes(data[: len(data) // 2])
        wait_for("one.rmeval.zip")
        (place / "one.rmeval.zip").write_bytes(data)
        wait_for("baseline:longest")
        assert "Not verified" not in index.read_text()
        shutil.rmtree(place)
        wait_for("There are no verified runs yet.")
    finally:
        watched.terminate()
        watched.communicate(timeout=30)
