"""Addresses of lists: what they name is read back, and what they must not name is refused in a sentence."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from rmeval.app.filters import Filter
from rmeval.app.index import ItemQuery, Key
from rmeval.errors import DataError


def test_an_address_is_the_whole_state() -> None:
    query = ItemQuery(
        "run1",
        ("chat", "a & b"),
        ("hard",),
        "wrong",
        (-2.5, 0.0),
        (10.0, float("inf")),
        "run2",
        'one "two three" &=?',
        "-length",
    )
    place = Key(-0.25, "0123456789abcdef", 3)
    for own in (Filter(query), Filter(query, after=place), Filter(query, before=place)):
        again = Filter.of(parse_qs(urlsplit(own.items).query, keep_blank_values=True), "other")
        assert again == own
    plain = Filter(ItemQuery("run1"))
    assert plain.items == "/items?run=run1"
    assert Filter.of({}, "run1") == plain
    assert (plain.is_narrow, Filter(ItemQuery("run1", sort="item")).is_narrow, Filter(query).is_narrow) == (0, 0, 1)


@pytest.mark.parametrize("bound", [0.12345678901234567, -1234567.0, 1e300, 5e-324, 0.0])
def test_bounds_keep_all_of_their_digits(bound: float) -> None:
    own = Filter(ItemQuery("run1", margin=(bound, float("inf")), length=(float("-inf"), bound)))
    assert Filter.of(parse_qs(urlsplit(own.items).query), "run1") == own
    assert "length-max=-1234567" in Filter(ItemQuery("run1", length=(float("-inf"), -1234567.0))).items


def test_the_address_of_an_item_keeps_the_filter() -> None:
    own = Filter(ItemQuery("run1", outcome="wrong"), after=Key(None, "aa", 0))
    address = own.item("bb", 4, Key(1.5, "bb", 4), view="markdown", against="")
    assert address == "/item/bb?number=4&run=run1&outcome=wrong&at=1.5_bb_4&view=markdown"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("outcome", "lost", "the address has outcome='lost': choose from wrong, tie, right, unscored"),
        ("sort", "1; DROP TABLE run", "the address has sort=.*: choose from margin"),
        ("margin-min", "nan", "the address has margin-min='nan': give a number"),
        ("length-max", "ten", "the address has length-max='ten': give a number"),
        ("after", "x_y", "is not a place in a list"),
    ],
)
def test_wrong_values(field: str, value: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Filter.of({field: [value]}, "run1")
