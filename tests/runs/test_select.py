from __future__ import annotations

import pytest

from rmeval.benchmarks.rm_bench import RMBench
from rmeval.data.item_list import ItemList
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.runs.select import Selection, select
from rmeval.types import Item


def item(number: int, subset: str = "chat", group: str | None = None) -> Item:
    return Item(str(number), subset, (), (), (), str(number), group)


ITEMS = [item(n, subset) for n, subset in enumerate(["chat", "safety-refuse", "safety-response", "chat", "code"])]


def ids(selection: Selection, items: list[Item] = ITEMS) -> list[str]:
    table = ItemTable.of(items)
    return [one.id for one in table.take(select(table, selection, RMBench.card))]


def test_subsets_and_sections() -> None:
    assert ids(Selection()) == ["0", "1", "2", "3", "4"]
    assert ids(Selection(("safety-refuse",))) == ["1"]
    assert ids(Selection(("Safety", "code"))) == ["1", "2", "4"]
    assert ids(Selection(("chat",), limit=1)) == ["0"]


def test_a_draw_is_the_same_each_time_and_in_order() -> None:
    many = [item(n) for n in range(100)]
    drawn = ids(Selection(n_items=10, seed=1), many)
    assert drawn == ids(Selection(n_items=10, seed=1), many) == sorted(drawn, key=int)
    assert drawn != ids(Selection(n_items=10, seed=2), many)
    assert len(set(drawn)) == 10


def test_a_larger_draw_holds_a_smaller_one_whatever_else_is_left_out() -> None:
    many = [item(n, subset="safety-refuse" if n % 3 else "chat") for n in range(100)]
    few, more = ids(Selection(n_items=10), many), ids(Selection(n_items=30), many)
    assert set(few) < set(more)
    table = ItemTable.of(many)
    kept = table.take(select(table, Selection(n_items=30), RMBench.card, leave_out=["chat"]))
    assert len(kept) == 30
    assert {one.subset for one in kept} == {"safety-refuse"}
    assert {name for name in more if int(name) % 3} <= {one.id for one in kept}


def test_what_is_judged_together_stays_together() -> None:
    grouped = [item(n, group=f"g{n % 5}") for n in range(10)]
    assert ids(Selection(limit=2), grouped) == ["0", "5"]
    assert ids(Selection(limit=5), grouped) == ["0", "1", "5", "6"]
    # One group at least.
    assert ids(Selection(limit=1), grouped) == ["0", "5"]


def test_a_draw_takes_whole_groups_and_at_most_the_number() -> None:
    # Pairs and threes, in turn, between items without a group.
    grouped = [item(n, group=f"g{n % 10}" if n % 10 < 6 else None) for n in range(30)]
    groups = {one.id: one.group for one in grouped}
    last: set[str] = set()
    for number in range(3, 31):
        drawn = set(ids(Selection(n_items=number, seed=4), grouped))
        assert number - 2 <= len(drawn) <= number
        assert last <= drawn
        named = {groups[name] for name in drawn} - {None}
        assert {one.id for one in grouped if one.group in named} <= drawn
        last = drawn


def test_a_note_states_the_number_of_items_where_groups_prevent_the_requested_one() -> None:
    grouped = ItemTable.of([item(n, group=f"g{n % 5}") for n in range(10)])
    for selection, notes in (
        (Selection(n_items=4), []),
        (Selection(n_items=3), ["2 items instead of 3, because items of a group are taken together"]),
        (Selection(n_items=40), []),
        (Selection(limit=1), ["2 items instead of 1, because items of a group are taken together"]),
        (Selection(), []),
    ):
        assert selection.note(grouped, select(grouped, selection, RMBench.card)) == notes
    few = ItemTable.of([item(n, subset="chat" if n < 3 else "code") for n in range(10)])
    selection = Selection(("chat",), n_items=5)
    assert selection.note(few, select(few, selection, RMBench.card)) == []


LISTED = ItemList("items.csv", {"4": None, "1": None})


def test_a_list_of_items() -> None:
    assert ids(Selection(items=LISTED)) == ["1", "4"]
    table = ItemTable.of(ITEMS)
    kept = table.take(select(table, Selection(items=LISTED), RMBench.card, leave_out=["code"]))
    assert [one.id for one in kept] == ["1"]
    grouped = [item(n, group=f"g{n % 5}") for n in range(10)]
    assert ids(Selection(items=LISTED), grouped) == ["1", "4", "6", "9"]


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (
            Selection(("chat",), items=LISTED),
            "items.csv lists the items: leave out `subset`, `n_items` and `limit`, or `items`",
        ),
        (
            Selection(items=ItemList("items.csv", {"1": None, "7": None, "8": None})),
            "items.csv lists 2 items that the benchmark does not have \\(the first: '7'\\): give the list that was",
        ),
        (
            Selection(("math",)),
            "the data have no items of math: choose from chat, safety-refuse, .*, or give data that contain math",
        ),
        (Selection(limit=0), "`limit` must be at least 1"),
        (Selection(n_items=-1), "`n_items` must be at least 1"),
        (Selection(seed=-1), "`seed` must be at least 0"),
    ],
)
def test_wrong_selections(selection: Selection, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        ids(selection)


def test_nothing_to_select_from() -> None:
    with pytest.raises(DataError, match="these data contain no items of RM-Bench: check the file or folder"):
        ids(Selection(), [])
