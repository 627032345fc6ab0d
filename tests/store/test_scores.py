"""What is written to `scores.parquet` is what is read from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import ItemTable
from rmeval.protocols.pointwise import POINTWISE
from rmeval.store.parquet import reading
from rmeval.store.requests import RequestTable
from rmeval.store.scores import read_scores, write_scores
from rmeval.types import Comparison, Item, Observation, Response

numbers = st.floats(allow_nan=False, allow_infinity=False)
observations = st.builds(
    Observation,
    key=st.just(""),
    status=st.sampled_from(["ok", "error", "no_verdict"]),
    values=st.fixed_dictionaries(
        {},
        optional={"score": numbers, "other": numbers, "steps": st.lists(numbers, max_size=3).map(tuple)},
    ),
    choice=st.none() | st.integers(-1, 3),
    usage=st.sampled_from([{}, {"tokens": 7}]),
    input_truncated=st.booleans(),
)


def table_of(sizes: list[int]) -> ItemTable:
    two = (Comparison((0, 1)),)
    return ItemTable.of([Item(f"i{n}", "s", (), (Response(""),) * size, two, f"{n}") for n, size in enumerate(sizes)])


@given(st.lists(st.lists(observations, min_size=2, max_size=3), min_size=1, max_size=4))
def test_a_table_comes_back(tmp_path_factory: pytest.TempPathFactory, asked: list[list[Observation]]) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores.parquet"
    table, flat = table_of([len(own) for own in asked]), [one for own in asked for one in own]
    seen = ObservationTable(len(flat))
    seen.add(np.arange(len(flat)), flat)
    # Rows of distinct requests are in another order than the requests of the items.
    shuffled = np.random.default_rng(0).permutation(len(flat))
    stored = ObservationTable(len(flat))
    stored.add(shuffled, flat)
    write_scores(table, POINTWISE, RequestTable(shuffled.astype(np.int32), table.offsets), stored, path)
    with reading(path) as file:
        again = read_scores(file, table, np.diff(table.offsets).astype(np.int64))
    assert again.status.tolist() == seen.status.tolist()
    for name, column in seen.values.items():
        assert np.array_equal(again.values[name], column, equal_nan=True)
    assert {name: [own[row] for row in range(len(flat))] for name, own in again.vectors.items()} == {
        name: [own[row] for row in range(len(flat))] for name, own in seen.vectors.items()
    }
    for name in ("choice", "input_truncated"):
        one, other = getattr(again, name), getattr(seen, name)
        assert (one is None) == (other is None)
        assert one is None or one.tolist() == other.tolist()


def test_a_run_without_lists_has_no_columns_of_them(tmp_path: Path) -> None:
    table = table_of([2])
    seen = ObservationTable(2)
    seen.add(np.arange(2), [Observation("", values={"score": 1.0}), Observation("", "overlength")])
    write_scores(
        table, POINTWISE, RequestTable(np.arange(2, dtype=np.int32), table.offsets), seen, tmp_path / "scores.parquet"
    )
    names = pq.read_schema(tmp_path / "scores.parquet").names
    assert names == ["item", "response", "variant", "score", "status", "tokens"]
