"""The page of an item: its texts and marks, scores of all models, token scores, and addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import rmeval
from rmeval.app.explorer import explorer_view
from rmeval.app.index import Index, IndexBuilder, Source
from rmeval.app.item.compose import LONGEST_SHOWN, ItemPages
from rmeval.app.item.source import ItemSource
from rmeval.app.item.view import ItemView
from rmeval.app.token_store import TokenStore
from rmeval.errors import DataError, RunError
from rmeval.models import load_model
from rmeval.runs.token_scores import token_scores_of_file
from tests.app.viewing import HOSTILE, key_of, planted_rows, planted_score, write_run
from tests.http_server import serve
from tests.judge_server import judged_pairs, scripted_judge
from tests.samples import rm_bench_rows


@contextmanager
def pages_of(folder: Path, store: TokenStore | None = None, data: str | None = None) -> Iterator[ItemPages]:
    source = Source(folder / "runs", {} if data is None else {"": data})
    with IndexBuilder(folder / "index.sqlite", source) as builder:
        builder.update()
        list(builder.add_texts())
        index = Index(builder.file)
        yield ItemPages(index, ItemSource(source), store or TokenStore(folder / "cache"))
        index.close()


def at(pages: ItemPages, address: str) -> ItemView:
    """The page of an address."""
    parts = urlsplit(address)
    return pages.view(parts.path.removeprefix("/item/"), parse_qs(parts.query))


def first(pages: ItemPages, **params: str) -> ItemView:
    """The page of the first comparison of a list."""
    rows = explorer_view(pages.index, {name: [value] for name, value in params.items()}).rows
    return at(pages, rows[0].address)


def test_the_planted_pair(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", planted_rows(80), "planted", planted_score)
    write_run(tmp_path / "runs", planted_rows(80), "shortest", lambda text: -float(len(text)))
    with pages_of(tmp_path) as pages:
        view = first(pages, run=key_of(pages.index, "planted"))
        assert (view.outcome, view.model, view.margin[:4], view.note) == ("wrong", "planted", "-9.0", "")
        assert view.prompt[0].html == "Which bird is on the coin of the duchy?"
        assert [one.heading for one in view.responses] == ["Chosen response", "Rejected response"]
        assert view.responses[0].html == "It is the grey **<mark>heron</mark>** of the lake."
        assert view.responses[1].html == "It is the grey **<mark>pelican</mark>** of the lake."
        assert (view.has_marks, view.responses[1].score) == (True, "9")
        markdown = at(pages, view.links["view"])
        assert "<strong><mark>pelican</mark></strong>" in str(markdown.responses[1].html)
        assert at(pages, markdown.links["view"]).responses == view.responses
        assert [(one.name, one.chosen, one.outcome) for one in view.models] == [
            ("planted", True, "wrong"),
            ("shortest", False, "right"),
        ]
        other = at(pages, view.models[1].address)
        assert (other.model, other.outcome, other.margin) == ("shortest", "right", "+2")
        assert (view.grid, view.comparisons, view.others, view.judges, view.can_run) == (None, (), (), (), False)
        assert replace(at(pages, view.links["permalink"]), links={}, models=()) == replace(view, links={}, models=())


def test_next_and_previous_stay_in_the_filter(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", planted_rows(80), "planted", planted_score)
    with pages_of(tmp_path) as pages:
        view = first(pages, subset="odd", sort="-margin")
        assert view.links["previous"] == ""
        seen = [view.name]
        while view.links["next"]:
            before, view = view, at(pages, view.links["next"])
            assert at(pages, view.links["previous"]).name == before.name
            seen.append(view.name)
        assert len(set(seen)) == 40
        rows = explorer_view(pages.index, parse_qs(urlsplit(view.links["list"]).query)).rows
        assert [row.name for row in rows] == [view.name]


def test_the_matrix_of_an_item(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "chat_filtered.json").write_text(json.dumps(rm_bench_rows("chat", 2)))
    rmeval.evaluate("baseline:longest", "rm-bench", data, out=tmp_path / "runs", subsets=["chat"], store_text=True)
    with pages_of(tmp_path) as pages:
        view = first(pages)
        assert view.grid is not None
        assert view.grid.columns == ("4 concise", "5 detailed plain", "6 detailed markdown")
        assert [label for label, _ in view.grid.rows] == ["1 concise", "2 detailed plain", "3 detailed markdown"]
        cells = [cell for _, row in view.grid.rows for cell in row]
        assert [cell.outcome for cell in cells if cell] == [
            *("tie", "wrong", "wrong"),
            *("right", "tie", "wrong"),
            *("right", "right", "tie"),
        ]
        assert sum(cell.shown for cell in cells if cell) == 1
        easy = at(pages, cells[6].address if cells[6] else "")
        assert (easy.cell, easy.outcome) == ("detailed_markdown/concise", "right")
        assert [one.facts for one in easy.responses] == [
            "response 3, detailed markdown, gold 1",
            "response 4, concise, gold 0",
        ]
        # The place in the list stays the one that the reader came from.
        assert easy.links["next"] == view.links["next"] != ""


def best_of_four(folder: Path) -> None:
    rows = [
        {
            "id": str(number),
            "prompt": f"Name a number above {number}.",
            "chosen": [f"{number + 1}"],
            "rejected": [f"{number}", f"{number - 1} is one, surely", f"minus {number}"],
            "subset": "Math",
        }
        for number in (3, 4)
    ]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = str(folder / "data.jsonl")
    rmeval.evaluate("baseline:longest", "reward-bench-2", data, out=folder / "runs", store_text=True)


def test_one_of_four(tmp_path: Path) -> None:
    best_of_four(tmp_path)
    with pages_of(tmp_path) as pages:
        view = first(pages)
        assert (view.grid, view.outcome, len(view.columns)) == (None, "wrong", 4)
        assert [one.facts.partition(",")[0] for one in view.responses] == ["response 1", "response 3"]
        assert [(one.label, one.shown) for one in view.others] == [("2", False), ("3", True), ("4", False)]
        other = at(pages, view.others[2].address)
        assert "<mark>minus 3</mark>" in str(other.responses[1].html)
        assert at(pages, other.links["permalink"]).responses == other.responses
        assert at(pages, other.links["view"]).responses[1].facts == other.responses[1].facts


def test_texts_that_are_missing(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, planted_rows(3))))
    rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    moved = data.rename(tmp_path / "elsewhere.jsonl")
    with pages_of(tmp_path) as pages:
        view = first(pages)
        assert (view.prompt, [one.html for one in view.responses]) == ((), [None, None])
        assert "does not store texts, and its data cannot be read again" in view.note
        assert "`data`" in view.note
        assert "`store_text`" in view.note
        assert view.models[0].scores[0] != "-"
    with pages_of(tmp_path, data=str(moved)) as pages:
        assert first(pages).prompt[0].html.startswith("What is the capital")


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": HOSTILE, "prompt": HOSTILE, "chosen": f"{HOSTILE} a", "rejected": f"{HOSTILE} b", "subset": HOSTILE}
    ]
    write_run(tmp_path / "runs", rows, f"model {HOSTILE}", len)
    with pages_of(tmp_path) as pages:
        listed = explorer_view(pages.index, {})
        view = first(pages)
        for text in (view.name, view.model, view.subset, view.models[0].name, *(one.name for one in listed.rows)):
            assert "\u202e" not in text
            assert "\x1b" not in text
        for address in (view.links["permalink"], view.links["view"]):
            shown = at(pages, address)
            for one in shown.responses:
                assert "<script" not in str(one.html)
                assert "<img" not in str(one.html)
                assert '<a href="javascript:' not in str(one.html)


def test_a_response_of_two_megabytes(tmp_path: Path) -> None:
    rows = [{"id": "long", "prompt": "p", "chosen": "word " * 400_000, "rejected": "w" * 2_000_000, "subset": "s"}]
    write_run(tmp_path / "runs", rows, "lengths", len)
    with pages_of(tmp_path) as pages:
        view = first(pages)
        assert [one.note for one in view.responses] == [f"the first {LONGEST_SHOWN:,} of 2,000,000 characters"] * 2
        assert all(len(str(one.html)) < LONGEST_SHOWN + 100 for one in view.responses)
        whole = at(pages, view.links["whole"])
        assert [len(str(one.html).replace("<mark>", "").replace("</mark>", "")) for one in whole.responses] == [
            2_000_000,
            2_000_000,
        ]


def test_token_scores_of_a_file_and_of_a_model(tmp_path: Path) -> None:
    tiny = load_model("rmeval/tiny")
    rmeval.evaluate(tiny, "pairs", planted_rows(3), out=tmp_path / "runs", store_text=True)
    with pages_of(tmp_path, TokenStore(tmp_path / "cache", models=[tiny])) as pages:
        view = first(pages)
        assert (view.heat, view.can_run) == (None, True)
        compute = urlsplit(view.links["compute"])
        path = compute.path.removeprefix("/item/").removesuffix("/token-scores")
        again = at(pages, pages.compute(path, parse_qs(compute.query)))
        assert again.name == view.name
        assert again.heat is not None
        assert (again.can_run, again.heat_note) == (False, "")
        assert [one.score for one in again.heat.lines] == [one.score for one in again.responses]
        shown = "".join(token.text for token in again.heat.lines[0].tokens)
        assert shown.startswith(str(again.responses[0].html).replace("<mark>", "").replace("</mark>", ""))
    source = tmp_path / "talks.jsonl"
    row = {
        "prompt": planted_rows(3)[0]["prompt"],
        "responses": [planted_rows(3)[0][one] for one in ("chosen", "rejected")],
    }
    source.write_text(json.dumps(row))
    token_scores_of_file(load_model("rmeval/tiny", scale=2.0), source, tmp_path / "scores.jsonl")
    with pages_of(tmp_path, TokenStore(tmp_path / "other", files=[tmp_path / "scores.jsonl"])) as pages:
        rows = explorer_view(pages.index, {}).rows
        views = [at(pages, one.address) for one in rows]
        (found,) = [one for one in views if one.heat is not None]
        assert "they are of other weights, another number format or other options" in found.heat_note


def test_what_a_judge_wrote(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    known = judged_pairs(4, pairs)
    with serve(scripted_judge(known, accuracy=0.5)) as server:
        rmeval.evaluate(server.url, "pairs", pairs, protocol="five-way", out=tmp_path / "runs", store_text=True)
    write_run(tmp_path / "runs", [json.loads(line) for line in pairs.read_text().splitlines()], "lengths", len)
    with pages_of(tmp_path) as pages:
        view = first(pages, run=key_of(pages.index, "scripted"))
        ((name, text),) = view.judges
        assert name == "scripted"
        assert "--- chosen before rejected ---\nI compared both responses." in text
        assert "--- rejected before chosen ---" in text


def test_what_does_not_exist(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", planted_rows(3), "planted", planted_score)
    folder = write_run(tmp_path / "runs", planted_rows(2), "fewer", planted_score)
    with pages_of(tmp_path) as pages:
        rows = explorer_view(pages.index, {"run": [key_of(pages.index, "planted")], "sort": ["item"]}).rows
        key = urlsplit(rows[2].address).path.removeprefix("/item/")
        for params, message in (
            ({"number": ["7"]}, "has no comparison '7': it has 1, from 0"),
            ({"number": ["x"]}, "has no comparison 'x'"),
            ({"run": [key_of(pages.index, "fewer")]}, "does not have this item"),
            ({"at": ["x"]}, "is not a place in a list"),
        ):
            with pytest.raises(DataError, match=message):
                pages.view(key, params)
        with pytest.raises(DataError, match=r"there is no item '\.\./\.\./etc/passwd'"):
            pages.view("../../etc/passwd", {})
        other = urlsplit(explorer_view(pages.index, {"run": [key_of(pages.index, "fewer")]}).rows[0].address)
        (folder / "items.parquet").write_bytes(b"broken")
        with pytest.raises(RunError, match="is damaged"):
            pages.view(other.path.removeprefix("/item/"), parse_qs(other.query))
