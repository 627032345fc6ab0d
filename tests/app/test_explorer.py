"""The explorer's list: filters, orders, pages, and what it says where something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import rmeval
from rmeval.app.explorer import ExplorerView, explorer_view
from rmeval.app.index import Index, IndexBuilder, Source
from rmeval.errors import DataError
from tests.app.viewing import key_of, planted_rows, planted_score, write_run


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Two models on 130 pairs, and two on a small style-substance matrix."""
    folder = tmp_path_factory.mktemp("explorer")
    write_run(folder / "runs", planted_rows(), "planted", planted_score)
    write_run(folder / "runs", planted_rows(), "shortest", lambda text: -float(len(text)))
    for name in ("baseline:longest", "baseline:shortest"):
        rmeval.evaluate(name, "rm-bench-synthetic", out=folder / "runs", size=40)
    with IndexBuilder(folder / "index.sqlite", Source(folder / "runs")) as builder:
        builder.update()
        list(builder.add_texts())
        found = Index(builder.file)
        yield found
        found.close()


def view_of(index: Index, address: str = "", **params: str) -> ExplorerView:
    """The page of an address, or of some fields."""
    fields = parse_qs(urlsplit(address).query) if address else {name: [value] for name, value in params.items()}
    return explorer_view(index, fields)


def test_the_planted_item_comes_first(index: Index) -> None:
    view = view_of(index, run=key_of(index, "planted"))
    assert view.tally is not None
    assert (view.tally.wrong, view.tally.total) == (1, 130)
    first = view.rows[0]
    assert (first.outcome, first.excerpt) == ("wrong", "Which bird is on the coin of the duchy?")
    assert first.margin.startswith("-9.0")
    assert first.length == "-2"
    assert [row.outcome for row in view.rows[1:]] == ["right"] * 49
    assert view.all == ""


def test_pages_lead_through_the_whole_list_and_back(index: Index) -> None:
    run = key_of(index, "planted")
    for sort in ("margin", "-margin", "length", "-length", "item"):
        view, pages = view_of(index, run=run, sort=sort), []
        while True:
            pages.append([row.address for row in view.rows])
            if not view.next:
                break
            view = view_of(index, view.next)
        assert list(map(len, pages)) == [50, 50, 30]
        assert len({address for page in pages for address in page}) == 130
        view = view_of(index, view.previous)
        assert [row.address for row in view.rows] == pages[1]
        view = view_of(index, view.previous)
        assert [row.address for row in view.rows] == pages[0]
        assert view.previous == ""


def test_headings_sort_and_say_how(index: Index) -> None:
    view = view_of(index, run=key_of(index, "planted"))
    margin, length = (one for one in view.columns if one.kind == "number")
    assert (margin.sorted, length.sorted) == ("ascending", "")
    down = view_of(index, margin.address)
    assert down.rows[-1].margin <= down.rows[0].margin
    assert next(one.sorted for one in down.columns if one.label == "margin") == "descending"
    by_length = view_of(index, length.address)
    differences = [int(row.length) for row in by_length.rows]
    assert differences == sorted(differences)


def test_filters(index: Index) -> None:
    run, other = key_of(index, "planted"), key_of(index, "shortest")
    apart = view_of(index, run=run, other=other)
    assert apart.tally is not None
    assert 0 < apart.tally.total < 130
    assert all((row.margin[0] == "-") != (row.other[0] == "-") or "0" in (row.margin, row.other) for row in apart.rows)
    assert [one.label for one in apart.columns][2:4] == ["margin", "margin of shortest"]
    assert [one.label for one in apart.others] == ["shortest"]
    found = view_of(index, run=run, q='duchy "the coin"')
    assert [row.excerpt for row in found.rows] == ["Which bird is on the coin of the duchy?"]
    assert [row.excerpt for row in view_of(index, run=run, q="pelican").rows] == [found.rows[0].excerpt]
    assert not view_of(index, run=run, q="coin NOT duchy").rows
    odd = view_of(index, run=run, subset="odd", outcome="wrong")
    assert (len(odd.rows), odd.all) == (1, f"/items?run={run}")
    assert [one.value for one in odd.subsets if one.chosen] == ["odd"]
    assert len(view_of(index, **{"run": run, "margin-max": "-1", "length-min": "-2"}).rows) == 1


def test_the_matrix_has_its_cells_by_name(index: Index) -> None:
    run = key_of(index, "baseline:longest")
    view = view_of(index, run=run, cell="hard", outcome="right")
    assert [one.value for one in view.cells][:4] == ["easy", "normal", "hard", "concise/concise"]
    assert not view.rows
    assert view.tally is not None
    assert view.tally.total == 0
    easy = view_of(index, run=run, cell="easy")
    assert {row.cell for row in easy.rows} <= {
        "detailed_plain/concise",
        "detailed_markdown/concise",
        "detailed_markdown/detailed_plain",
    }
    (title, own), (_, others) = (view.runs or {}).items()
    assert {one.label for one in own} | {one.label for one in others} == {
        *("baseline:longest", "baseline:shortest"),
        *("planted", "shortest"),
    }
    assert title


def test_another_benchmark_drops_what_the_form_had_of_the_first(index: Index) -> None:
    before, after = key_of(index, "baseline:longest"), key_of(index, "planted")
    view = view_of(index, run=after, of=before, cell="hard", subset="chat", other=before, outcome="wrong")
    assert (len(view.rows), view.rows[0].excerpt[:10]) == (1, "Which bird")
    with pytest.raises(DataError, match="there is no cell 'hard'"):
        view_of(index, run=after, cell="hard")
    with pytest.raises(DataError, match="there is no run"):
        view_of(index, run="nobody")


def test_no_runs_and_runs_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()

    def shown() -> ExplorerView:
        with IndexBuilder(tmp_path / "index.sqlite", Source(tmp_path / "runs")) as builder:
            builder.update()
            list(builder.add_texts())
            index = Index(builder.file)
            try:
                return explorer_view(index, {})
            finally:
                index.close()

    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    view = shown()
    assert (view.run, "There are no runs to show" in view.problem, "damaged" in view.problem) == (None, True, True)


def test_texts_that_are_gone_are_said_so(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, planted_rows(80))))
    rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    data.unlink()
    with IndexBuilder(tmp_path / "index.sqlite", Source(tmp_path / "runs")) as builder:
        builder.update()
        list(builder.add_texts())
        index = Index(builder.file)
        view = explorer_view(index, {"q": ["bird"]})
        index.close()
    assert not view.rows
    assert view.notes[0].startswith("Texts of 80 items cannot be searched: ")
