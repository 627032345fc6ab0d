"""Queries of the index, against the same filter and order computed from the run folders."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import rmeval
from rmeval.app.index import OUTCOMES, SORTS, ComparisonRow, Index, IndexBuilder, ItemQuery, Key, Source
from rmeval.errors import DataError, RunError
from rmeval.metrics.margins import margins
from rmeval.store.run import read_scored
from tests.app.index.runs import import_run, write_pairs
from tests.app.viewing import key_of

COUNT = 240


class Expected(NamedTuple):
    """A comparison as the run folder has it."""

    place: int
    name: str
    subset: str
    margin: float | None
    length: int
    text: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    data = write_pairs(folder / "pairs.jsonl", COUNT)
    for seed, name in enumerate(("first", "second")):
        import_run(data, folder / "runs", name, seed)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=folder / "runs", size=32)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[Index]:
    with IndexBuilder(folder / "index.sqlite", Source(folder / "runs")) as builder:
        builder.update()
        assert sum(builder.add_texts()) == COUNT + 32
        found = Index(builder.file)
        yield found
        found.close()


def expected(index: Index, model: str, data: Path) -> list[Expected]:
    """The comparisons of a run in its order."""
    run = read_scored(next(one.folder for one in index.runs() if one.model == model))
    texts = {item.id: item for item in rmeval.load_benchmark("pairs", str(data)).load()}
    own = margins(run.evidence("score"))
    found = []
    for place, (position, margin) in enumerate(zip(own.item.tolist(), own.margin.tolist(), strict=True)):
        item = texts[run.items.table.ids[position]]
        chosen, rejected = (response.text for response in item.responses)
        found.append(
            Expected(
                place,
                item.id,
                item.subset,
                None if math.isnan(margin) else margin,
                len(chosen) - len(rejected),
                f"{item.prompt[0].content} {chosen} {rejected}",
            )
        )
    return found


def outcome_of(margin: float | None) -> str:
    return "unscored" if margin is None else "right" if margin > 0 else "wrong" if margin < 0 else "tie"


def order_of(one: Expected, sort: str) -> tuple[Any, ...]:
    value = {"margin": one.margin, "length": one.length, "item": 0}[sort.removeprefix("-")]
    if value is None:
        return True, 0, one.place
    return (False, -value, -one.place) if sort.startswith("-") else (False, value, one.place)


def walked(index: Index, query: ItemQuery, limit: int) -> list[ComparisonRow]:
    """All rows of a query page by page, forwards; and the same backwards."""
    page = index.comparisons(query, limit=limit)
    assert page.previous is None
    found = [*page.rows]
    while page.next is not None:
        page = index.comparisons(query, after=Key.of(str(page.next)), limit=limit)
        found += page.rows
    back = [*page.rows]
    while page.previous is not None:
        page = index.comparisons(query, before=Key.of(str(page.previous)), limit=limit)
        back = [*page.rows, *back]
    assert back == found
    return found


FILTERS: tuple[tuple[dict[str, Any], Callable[[Expected], bool]], ...] = (
    ({}, lambda one: True),
    ({"subsets": ("north", "east")}, lambda one: one.subset != "south"),
    ({"length": (-5, 8)}, lambda one: -5 <= one.length <= 8),
    ({"margin": (-2, 1)}, lambda one: one.margin is not None and -2 <= one.margin <= 1),
    ({"text": "heron"}, lambda one: "heron" in one.text),
    ({"text": "HERON cafe", "subsets": ("south",)}, lambda one: one.subset == "south" and has_both(one)),
)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
def test_filters_and_orders_are_those_of_the_run_folder(index: Index, folder: Path, sort: Any, outcome: Any) -> None:
    every = expected(index, "first", folder / "pairs.jsonl")
    query = ItemQuery(key_of(index, "first"), outcome=outcome, sort=sort)
    for change, keeps in FILTERS:
        own = replace(query, **change)
        kept = [one for one in every if keeps(one) and outcome in (None, outcome_of(one.margin))]
        found = walked(index, own, 17)
        wanted = sorted(kept, key=lambda one: order_of(one, sort))
        assert [(row.name, row.margin, row.length) for row in found] == [
            (one.name, one.margin, one.length) for one in wanted
        ]
        tally = index.tally(own)
        assert tally.total == len(kept)
        for name in OUTCOMES:
            assert getattr(tally, name) == sum(outcome_of(one.margin) == name for one in kept)


def has_both(one: Expected) -> bool:
    return "heron" in one.text and "café" in one.text


def test_disagreement_is_one_right_and_the_other_not(index: Index, folder: Path) -> None:
    first, second = (expected(index, name, folder / "pairs.jsonl") for name in ("first", "second"))
    apart = {
        one.name
        for one, other in zip(first, second, strict=True)
        if one.margin is not None and other.margin is not None and (one.margin > 0) != (other.margin > 0)
    }
    assert 20 < len(apart) < COUNT - 20
    query = ItemQuery(key_of(index, "first"), other=key_of(index, "second"))
    rows = walked(index, query, 11)
    assert {row.name for row in rows} == apart
    margins = {one.name: one.margin for one in second}
    assert all(row.other == margins[row.name] for row in rows)
    with pytest.raises(DataError, match="different benchmarks"):
        index.comparisons(replace(query, other=key_of(index, "baseline:longest")))


def test_cells_and_sections_have_their_names(index: Index) -> None:
    query = ItemQuery(key_of(index, "baseline:longest"), cells=("hard",))
    tally = index.tally(query)
    assert (tally.right, tally.total) == (0, 96)
    assert index.tally(replace(query, cells=("1:1", "detailed_markdown/concise"))).total == 64
    own = index.tally(replace(query, cells=(), subsets=("safety-refuse",))).total
    assert 0 < own < index.tally(replace(query, cells=(), subsets=("Safety",))).total
    with pytest.raises(DataError, match="there is no subset 'nowhere': choose from chat"):
        index.tally(replace(query, subsets=("nowhere",)))
    with pytest.raises(DataError, match="there is no cell"):
        index.tally(replace(query, cells=("nowhere",)))
    assert sum(index.cells(query.run).values()) == sum(index.subsets(query.run).values()) == 288


def test_an_item_has_the_scores_of_all_models(index: Index, folder: Path) -> None:
    row = index.comparisons(ItemQuery(key_of(index, "first")), limit=1).rows[0]
    item = index.item(row.item)
    assert item is not None
    assert (item.name, item.subset, item.benchmark) == (row.name, row.subset, "pairs")
    scores = {one.run.model: one for one in index.scores(row.item)}
    assert list(scores) == ["first", "second"]
    assert scores["first"].scores[0] - scores["first"].scores[1] == row.margin == scores["first"].margins[row.number]
    run = read_scored(scores["second"].run.folder)
    assert run.items.table.ids[scores["second"].position] == row.name
    assert index.item("0" * 16) is None
    assert index.scores("0" * 16) == ()


@pytest.mark.parametrize(
    "text",
    ["", "1_2", "nan_a_1", "1.5_a_x", "1.5_a_-1", f"1_a_{'9' * 400}", "_a_1_2", "1e5\0_a_1"],
)
def test_a_place_that_is_none(text: str) -> None:
    with pytest.raises(DataError, match="is not a place in a list of comparisons"):
        Key.of(text)


def test_a_place_of_another_order_or_of_no_item(index: Index) -> None:
    query = ItemQuery(key_of(index, "first"))
    key = index.comparisons(query, limit=5).rows[-1].key(query)
    by_item = replace(query, sort="item")
    assert index.comparisons(by_item, after=key, limit=3).rows == index.comparisons(by_item, limit=3).rows
    with pytest.raises(DataError, match="there is no item"):
        index.comparisons(query, after=replace(key, item="'; DROP TABLE item; --"))
    with pytest.raises(DataError, match="there is no run"):
        index.comparisons(replace(query, run="' OR 1=1 --"))


def test_many_threads_read_at_the_same_time(index: Index) -> None:
    query = ItemQuery(key_of(index, "first"), text="heron")
    wanted = [row.name for row in walked(index, query, 9)]
    found: list[list[str]] = []

    def read() -> None:
        found.extend([row.name for row in walked(index, query, size)] for size in (7, 30))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == list(itertools.repeat(wanted, 12))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="start the viewer again"):
        Index(tmp_path / "nothing.sqlite").runs()
    assert not (tmp_path / "nothing.sqlite").exists()
