from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data.digests import gold_digest, unordered_digest
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import NO_CHOICE, STATUSES, ObservationTable, Vectors
from rmeval.data.spool import Spool, windows
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import DataError, RunError
from rmeval.metrics.outcomes import SCORE_RULES, outcomes
from rmeval.store.items import add_tokens, count_item, read_items, write_items
from rmeval.types import Comparison, Evidence, Item, Message, Observation, Response, ScoreRule

few = st.integers(0, 3)
keys = st.binary(min_size=1, max_size=2).map(lambda end: bytes(16 - len(end)) + end).map(bytes.hex)
"""Keys of which many share their first half, as digests never do."""


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    found = []
    for number in range(draw(st.integers(1, 12))):
        count = draw(st.integers(2, 4))
        members = st.permutations(range(count)).map(lambda order: tuple(order[: max(2, len(order) - 1)]))
        comparisons = st.builds(Comparison, members, st.none() | st.integers(0, 1), st.sampled_from(["", "a/b"]))
        response = st.builds(
            Response,
            st.text(max_size=5),
            st.none() | st.floats(0, 1),
            st.none() | st.just("concise"),
            st.none() | st.just("m"),
        )
        found.append(
            Item(
                f"i{number}",
                draw(st.sampled_from(["x", "y"])),
                (Message("user", f"p{number}"),),
                tuple(draw(st.lists(response, min_size=count, max_size=count))),
                tuple(draw(st.lists(comparisons, max_size=3))),
                f"c{draw(few)}",
                draw(st.none() | st.just("g")),
                draw(st.sampled_from([{}, {"language": "py"}])),
            )
        )
    return found


scores = st.sampled_from([0.0, 1.0, 1.5, math.inf, math.nan])


def decided_one_by_one(item: Item, seen: Evidence | None, policy: ScoreRule) -> list[tuple[float, bool, bool]]:
    """Credit, tied and failed of each comparison with a winner, said in the plainest way."""
    found = []
    for comparison in item.comparisons:
        if comparison.gold is None:
            continue
        own = [math.nan if seen is None else float(seen.scores[member]) for member in comparison.members]
        winner, others = own[comparison.gold], own[: comparison.gold] + own[comparison.gold + 1 :]
        failed = any(math.isnan(score) for score in own)
        tied = not failed and winner == max(others)
        credit = float(not failed and winner > max(others))
        if tied and policy.tie == "share":
            credit = 1 / own.count(winner)
        if failed:
            credit = {"loss": 0.0, "exclude": math.nan, "share": 1 / len(own)}[policy.failure]
        found.append((credit, tied, failed))
    return found


@settings(max_examples=40)
@given(items(), st.data(), st.sampled_from(list(SCORE_RULES.values())))
def test_columns_decide_as_one_would_by_hand(items: list[Item], data: st.DataObject, policy: ScoreRule) -> None:
    evidence = {
        item.id: Evidence(item.id, "score", np.array([data.draw(scores) for _ in item.responses]))
        for item in items
        if data.draw(st.booleans())
    }
    expected = [one for item in items for one in decided_one_by_one(item, evidence.get(item.id), policy)]
    found = outcomes(items, evidence, policy)
    columns = list(zip(found.credit.tolist(), found.tied.tolist(), found.failed.tolist(), strict=True))
    assert np.array_equal(np.array(columns), np.array(expected).reshape(np.shape(columns)), equal_nan=True)
    tags = [comparison.tag for item in items for comparison in item.comparisons if comparison.gold is not None]
    assert [found.tags[code] for code in found.tag] == tags
    table = ItemTable.of(items)
    again = outcomes(table, EvidenceTable.of(table, evidence), policy)
    assert np.array_equal(again.credit, found.credit, equal_nan=True)


def without_texts(item: Item) -> Item:
    return replace(item, prompt=(), responses=tuple(replace(one, text="") for one in item.responses), cluster="")


@settings(max_examples=40)
@given(items(), st.data())
def test_a_table_gives_its_items_back(items: list[Item], data: st.DataObject) -> None:
    table = ItemTable.of(items)
    assert [replace(one, cluster="") for one in table] == [without_texts(item) for item in items]
    assert [table[k].cluster == table[0].cluster for k in range(len(items))] == [
        item.cluster == items[0].cluster for item in items
    ]
    mask = np.array([data.draw(st.booleans()) for _ in items])
    assert list(table.take(mask).ids) == [item.id for item, kept in zip(items, mask, strict=True) if kept]
    assert table.responses(mask).sum() == sum(len(i.responses) for i, kept in zip(items, mask, strict=True) if kept)
    for name in ("x", "y"):
        assert table.counts.get(name, 0) == sum(item.subset == name for item in items)


@settings(max_examples=20)
@given(items())
@pytest.mark.parametrize("numbered", [True, False])
def test_a_file_gives_its_items_back(
    tmp_path_factory: pytest.TempPathFactory, numbered: bool, items: list[Item]
) -> None:
    """Also a file of before shapes had numbers, when items had a weight that nothing read."""
    items[0] = replace(items[0], responses=(*items[0].responses, Response("- a\n- b")))
    path = tmp_path_factory.mktemp("items") / "items.parquet"
    counted = [count_item(item) for item in items]
    table = ItemTable.of(items)
    write_items(counted, table.shape, path, texts=False)
    if not numbered:
        old = pq.read_table(path).drop(["shape"])
        pq.write_table(old.add_column(4, "weight", pa.array([0.5] * len(old))), path)
    stored = read_items(path)
    assert list(stored.table) == list(table)
    assert list(stored.digests()) == [one.digests for one in counted]
    assert stored.counts["characters"].tolist() == [count.characters for one in counted for count in one.counts]
    assert stored.counts["markdown"].tolist() == [count.markdown for one in counted for count in one.counts]
    if not numbered:
        return
    tokens = np.arange(-1, table.offsets[-1] - 1, dtype=np.int32)
    before = pq.read_table(path).to_pylist()
    add_tokens(path, tokens)
    after = pq.read_table(path).to_pylist()
    found = [response.pop("tokens") for row in after for response in row["responses"]]
    assert found == [None, *range(len(tokens) - 1)]
    assert [response.pop("tokens") for row in before for response in row["responses"]] == [None] * len(tokens)
    assert after == before


@given(st.lists(st.lists(keys, max_size=5), max_size=5), st.lists(keys, max_size=10))
def test_keys_are_found_where_they_were_given(pieces: list[list[str]], others: list[str]) -> None:
    index = KeyIndex(pieces)
    given_ = [key for piece in pieces for key in piece]
    assert len(index) == len(set(given_))
    assert index.first.tolist() == [key not in given_[:place] for place, key in enumerate(given_)]
    assert index.find(given_).tolist() == index.rows.tolist()
    assert sorted(set(index.rows.tolist())) == list(range(len(index)))
    for key, row in zip(others, index.find(others).tolist(), strict=True):
        assert (row >= 0) == (key in given_)
        assert row < 0 or row == index.rows[given_.index(key)]


def test_a_later_answer_replaces_an_earlier_one() -> None:
    answers = ObservationTable(2)
    rows = np.array([0, 1, -1])
    answers.add(
        rows, [Observation("a", "error", error="it would not"), Observation("b", values={"x": 1.0}), Observation("c")]
    )
    assert answers.settled.tolist() == [False, True]
    assert answers.errors == {0: "it would not"}
    assert answers.has_value.tolist() == [False, True]
    answers.add(
        np.array([0, 1]), [Observation("a", values={"y": 2.0}, usage={"tokens": 3}), Observation("b", "overlength")]
    )
    assert answers.errors == {}
    assert answers.tokens is not None
    assert answers.tokens.tolist() == [3, -1]
    assert [STATUSES[code] for code in answers.status] == ["ok", "overlength"]
    assert answers.has_value.tolist() == [True, False]


def test_a_spool_keeps_what_it_is_given_in_order_and_gives_it_more_than_once(tmp_path: Path) -> None:
    for count in (0, 1, 2, 5):
        spool: Spool[list[Item]] = Spool()
        written = [[Item(f"{n}", "s", (Message("user", "ü" * n),), (), (), "c")] for n in range(count)]
        for value in written:
            spool.append(value)
        assert len(spool) == count
        assert list(spool) == list(spool) == written


def test_windows() -> None:
    assert list(windows(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(windows([], 2)) == []


@given(st.lists(st.integers(0, 5)), st.randoms())
def test_an_unordered_digest_knows_how_often_but_not_in_what_order(values: list[int], random: object) -> None:
    assert unordered_digest(values) == unordered_digest(sorted(values))
    assert unordered_digest(values) != unordered_digest([*values, 0])


def test_items_that_are_none_are_refused() -> None:
    two = (Response("a"), Response("b"))
    for comparison in (Comparison((0, -1)), Comparison((0, 2)), Comparison((0,)), Comparison((0, 1), 2)):
        with pytest.raises(DataError, match=r"item i has . responses?, but a comparison with members"):
            ItemTable.of([Item("i", "s", (), two, (comparison,), "c")])
    assert outcomes([], {}, SCORE_RULES["official@1"]).n_items == 0


def test_meta_of_any_kind_and_lists_for_tuples() -> None:
    comparisons: Any = [Comparison(cast("Any", [0, 1]))]
    meta = MappingProxyType({"k": Path("p")})
    item = Item("i", "s", (), (Response("a"), Response("b")), comparisons, "c", meta=meta)
    assert count_item(item).item.meta == {"k": "p"}
    (own,) = ItemTable.of([item])
    assert own.comparisons == (Comparison((0, 1)),)


def test_some_items_have_a_matrix_and_others_scores() -> None:
    items = [Item(name, "s", (), (Response(""),) * 2, (Comparison((0, 1)),), name) for name in "ab"]
    evidence = {
        "a": Evidence("a", "p", np.full(2, np.nan), np.array([[np.nan, 1.0], [0.0, np.nan]])),
        "b": Evidence("b", "p", np.array([1.0, 2.0])),
    }
    found = outcomes(items, evidence, SCORE_RULES["official@1"])
    assert (found.credit.tolist(), found.failed.tolist()) == ([1.0, 0.0], [False, False])


@settings(max_examples=40)
@given(items(), st.data())
def test_subsets_apart_are_what_they_are_within(items: list[Item], data: st.DataObject) -> None:
    evidence = {
        item.id: Evidence(item.id, "score", np.array([data.draw(scores) for _ in item.responses])) for item in items
    }
    found = outcomes(items, evidence, SCORE_RULES["half-ties@1"])
    parts = dict(found.by_subset())
    assert list(parts) == found.present == list(dict.fromkeys(item.subset for item in items))
    for name, part in parts.items():
        own = [item for item in items if item.subset == name]
        alone = outcomes(own, evidence, SCORE_RULES["half-ties@1"])
        for one in (part, found.within(name)):
            assert np.array_equal(one.credit, alone.credit, equal_nan=True)
            assert one.item.tolist() == alone.item.tolist()
            assert one.n_clusters == alone.n_clusters
            assert (one.cluster[:, None] == one.cluster).tolist() == (alone.cluster[:, None] == alone.cluster).tolist()


def test_digests_of_gold_in_run_folders_stay_valid() -> None:
    answers = (Response("a", 1.0), Response("b", 0.0, "concise"))
    comparisons = (Comparison((0, 1), 0, "t"), Comparison((1, 0), None))
    item = Item("i", "s", (Message("user", "p"),), answers, comparisons, "c")
    assert gold_digest([(item, ("0" * 32, "1" * 32))]) == "2b99e1cf9c9e0a8a55a7eb397a7a5d38"


def test_a_damaged_digest_is_an_error_not_another_number(tmp_path: Path) -> None:
    items = [
        Item(f"i{n}", "s", (), (Response(f"a{n}", 1.0), Response(f"b{n}", 0.0)), (Comparison((0, 1)),), f"c{n}")
        for n in range(300)
    ]
    path = tmp_path / "items.parquet"
    write_items([count_item(item) for item in items], ItemTable.of(items).shape, path, texts=False)
    whole, right = path.read_bytes(), list(read_items(path).digests())
    errors = 0
    for place in range(4, len(whole) - 4, max(1, len(whole) // 150)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert list(read_items(path).digests()) == right
        except RunError as error:
            errors += 1
            assert "is damaged" in str(error) or "cannot be read" in str(error)
    assert errors > 40


numbers = st.floats(allow_nan=False, allow_infinity=False)
lists = st.none() | st.lists(numbers, max_size=3).map(tuple)


@given(st.lists(lists, max_size=8), st.data())
def test_lists_of_numbers_as_columns(rows: list[tuple[float, ...] | None], data: st.DataObject) -> None:
    vectors = Vectors(len(rows))
    for place, row in enumerate(rows):
        if row is not None:
            vectors.put(place, (0.0,))  # What was there before is replaced.
            vectors.put(place, row)
    assert [vectors[place] for place in range(len(rows))] == rows
    chosen = data.draw(st.lists(st.integers(0, max(len(rows) - 1, 0)), max_size=6 if rows else 0))
    taken = vectors.take(np.array(chosen, np.int64))
    assert [taken[place] for place in range(len(chosen))] == [rows[place] for place in chosen]
    again = Vectors.of(taken.sizes, taken.numbers)
    assert [again[place] for place in range(len(chosen))] == [rows[place] for place in chosen]


def test_choices_lists_and_cut_inputs_are_columns_and_are_replaced() -> None:
    answers = ObservationTable(3)
    first = Observation("a", values={"steps": (0.5, 0.25), "score": 1.0}, choice=1, input_truncated=True)
    answers.add(np.array([0, 1]), [first, Observation("b", "no_verdict")])
    assert answers.has_value.tolist() == [True, False, False]
    assert answers.settled.tolist() == [True, True, False]
    assert answers.choice is not None and answers.input_truncated is not None
    assert answers.choice.tolist() == [1, NO_CHOICE, NO_CHOICE]
    answers.add(np.array([0, 2]), [Observation("a", "error", error="no"), Observation("c", choice=-1)])
    assert answers.has_value.tolist() == [False, False, True]
    assert answers.vectors["steps"][0] is None
    assert (answers.choice.tolist(), answers.input_truncated.tolist()) == ([NO_CHOICE, NO_CHOICE, -1], [False] * 3)
    with pytest.raises(DataError, match="the value 'steps' is a number in some observations and a list of numbers in"):
        answers.add(np.array([1]), [Observation("b", values={"steps": 1.0})])


def test_equal_tokens_share_lists_and_choices() -> None:
    answers = ObservationTable(2)
    batch = [
        Observation(key, values={"steps": steps}, choice=choice, sequence="1f")
        for key, steps, choice in (("a", (1.0,), 0), ("b", (2.0, 3.0), 1))
    ]
    answers.add(np.array([1, 0]), batch)
    answers.share()
    assert answers.choice is not None
    assert ([answers.vectors["steps"][row] for row in (0, 1)], answers.choice.tolist()) == ([(1.0,), (1.0,)], [0, 0])
