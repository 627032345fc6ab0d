"""Cells of CSV files: numbers, lists, and texts."""

from __future__ import annotations

from typing import Any

import pytest

from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.base import from_csv, numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (" -12 ", -12),
        ("9" * 400, float("inf")),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("", None),
        (" None ", None),
        ("n/a", None),
        ("[0.5, 1]", [0.5, 1]),
        ('{"a": 1}', '{"a": 1}'),
        ("better", "better"),
    ],
)
def test_cells_of_number_columns(text: str, value: Any) -> None:
    found = from_csv(Row({"score_chosen": text, "prompt": text}, "a.csv line 2")).fields
    assert found == {"score_chosen": value, "prompt": text}
    assert type(found["score_chosen"]) is type(value)


def test_a_list_that_cannot_be_read() -> None:
    with pytest.raises(DataError, match=r"a.csv line 2: the list of numbers is not valid JSON \(.*\): correct it"):
        from_csv(Row({"score": "[" * 10_000 + "]" * 10_000}, "a.csv line 2"))


def test_several_numbers_instead_of_one() -> None:
    row = Row({"score": [1, 2]}, "a.csv line 2")
    assert numbers(row, "score") == [1.0, 2.0]
    with pytest.raises(DataError, match=r"a.csv line 2: 'score' must contain one number, not 2"):
        numbers(row, "score", 1)
