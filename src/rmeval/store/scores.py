"""The file `scores.parquet`: the observations, one row per request and value, derived from the journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.data.observations import NO_CHOICE, STATUSES, ObservationTable, Vectors
from rmeval.data.tables import Codes, ItemTable
from rmeval.protocols import ProtocolLike
from rmeval.store.parquet import writing
from rmeval.store.requests import RequestTable
from rmeval.types import FloatArray, IntArray

__all__ = ["read_scores", "write_scores"]

_COLUMNS: dict[str, pa.DataType] = {
    "item": pa.string(),
    "response": pa.int64(),
    "variant": pa.string(),
    "score": pa.float64(),
    "status": pa.string(),
    "tokens": pa.int64(),
}
_WHERE_USED: dict[str, pa.DataType] = {
    "vector": pa.list_(pa.float64()),
    "choice": pa.int32(),
    "input_truncated": pa.bool_(),
    "vote": pa.int32(),
    "judge": pa.string(),
}
"""Columns that are written only if a run has such values."""
_CUT = "truncated"
"""The status of an observation whose input was cut, in files of schema 1."""
_GROUP = 1 << 14


def write_scores(
    table: ItemTable,
    protocol: ProtocolLike,
    requests: RequestTable,
    observations: ObservationTable,
    path: Path,
    run: str | None = None,
    journal: str | None = None,
) -> None:
    """Write one row per request and value; `response` is the number of the request within its item.

    Args:
        table: The items.
        protocol: The protocol of the requests.
        requests: The items' requests.
        observations: The observations.
        path: The file, which is replaced.
        run: The run to which they belong, from `run_id`.
        journal: The state of the journal from which they derive, from `journal_state`.
    """
    marks = _Marks(protocol, table)
    used = {
        "vote": marks.votes,
        "judge": marks.judges,
        "vector": bool(observations.vectors),
        "choice": observations.choice is not None,
        "input_truncated": observations.input_truncated is not None,
    }
    schema = pa.schema(_COLUMNS | {name: kind for name, kind in _WHERE_USED.items() if used[name]})
    names = iter(table.ids)
    with writing(path, schema, run, journal) as writer:
        for start in range(0, len(table), _GROUP):
            end = min(start + _GROUP, len(table))
            offsets = requests.offsets[start : end + 1]
            rows = requests.rows[offsets[0] : offsets[-1]]
            ids = pa.array(islice(names, end - start), pa.string())
            columns = dict(_columns(ids, np.diff(offsets), rows, observations))
            columns |= marks.columns(table.shape[start:end], len(columns["item"]) // max(len(rows), 1))
            writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))


def _columns(
    ids: pa.Array[Any], sizes: Codes, rows: Codes, observations: ObservationTable
) -> Iterator[tuple[str, pa.Array[Any]]]:
    """The columns of some items, from their ids, their numbers of requests, and the rows of the requests."""
    variants = [*observations.values, *observations.vectors] or ["score"]
    count, every = len(variants), np.repeat(rows, len(variants))
    scores = np.stack([observations.column(name, rows) for name in variants], axis=1)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    item = np.repeat(np.arange(len(sizes)), sizes * count)
    tokens = np.full(len(every), -1) if observations.tokens is None else observations.tokens[every]
    yield "item", ids.take(pa.array(item, pa.int64()))
    yield "response", pa.array(np.repeat(place, count), pa.int64())
    yield "variant", pa.array(np.tile(np.array(variants, object), len(rows)), pa.string())
    yield "score", pa.array(scores.ravel(), pa.float64(), from_pandas=True)
    yield "status", pa.DictionaryArray.from_arrays(observations.status[every], pa.array(STATUSES)).cast(pa.string())
    yield "tokens", pa.array(tokens, pa.int64(), mask=tokens < 0)
    if observations.vectors:
        yield "vector", _lists([observations.vectors.get(name) for name in variants], rows)
    if observations.choice is not None:
        choice = observations.choice[every]
        yield "choice", pa.array(choice, pa.int32(), mask=choice == NO_CHOICE)
    if observations.input_truncated is not None:
        yield "input_truncated", pa.array(observations.input_truncated[every], pa.bool_())


class _Marks:
    """The vote and judge of each request, which follow from the shape of its item."""

    def __init__(self, protocol: ProtocolLike, table: ItemTable) -> None:
        self._of_shape = [protocol.questions(shape) for shape in table.shapes]
        self.votes = any(one.vote for own in self._of_shape for one in own)
        self.judges = any(one.judge is not None for own in self._of_shape for one in own)

    def columns(self, shapes: Codes, times: int) -> dict[str, pa.Array[Any]]:
        """The columns of items of some shapes, with each request `times` times."""
        if not self.votes and not self.judges:
            return {}
        asked = [one for code in shapes.tolist() for one in self._of_shape[code] for _ in range(times)]
        votes, judges = [one.vote for one in asked], [one.judge for one in asked]
        return {"vote": pa.array(votes, pa.int32()), "judge": pa.array(judges, pa.string())}


def _lists(vectors: Sequence[Vectors | None], rows: Codes) -> pa.Array[Any]:
    """The lists of some requests, request by request; None is a value without lists."""
    parts = [None if own is None else own.take(rows) for own in vectors]
    none = np.full(len(rows), -1, np.int32)
    sizes = np.stack([none if own is None else own.sizes for own in parts], axis=1)
    lengths = np.maximum(sizes, 0).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths.ravel())])
    starts = offsets[:-1].reshape(lengths.shape)
    numbers: FloatArray = np.empty(int(offsets[-1]))
    for place, own in enumerate(parts):
        if own is not None:
            length = lengths[:, place]
            within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
            numbers[np.repeat(starts[:, place], length) + within] = own.numbers
    absent = pa.array(np.concatenate([sizes.ravel() < 0, [False]]))
    # A null offset marks a missing list.
    begins = pc.if_else(absent, pa.scalar(None, pa.int32()), pa.array(offsets.astype(np.int32)))
    return pa.ListArray.from_arrays(begins, pa.array(numbers, pa.float64()))


def read_scores(file: pq.ParquetFile, table: ItemTable, expected: IntArray) -> ObservationTable:
    """Read the observations in a file, in the order of the items' requests.

    Args:
        file: The file.
        table: The items.
        expected: int64[n], the number of requests of each item.

    Raises:
        pa.ArrowInvalid: If the file has other items or requests.
    """
    there = [name for name in ("vector", "choice", "input_truncated") if name in file.schema_arrow.names]
    columns = file.read(columns=["item", "response", "variant", "score", "status", *there])
    names = [str(name) for name in pc.unique(columns["variant"].slice(0, 64)).to_pylist()]
    _refuse_others(columns, table, expected, len(names))
    step = len(names)
    observations = ObservationTable(len(columns) // step)
    codes = pc.index_in(columns["status"], pa.array([*STATUSES, _CUT])).to_numpy()[::step]
    if np.isnan(codes).any():
        raise pa.ArrowInvalid("it has an unknown status")
    cut = codes == len(STATUSES)
    observations.status = np.where(cut, STATUSES.index("ok"), codes).astype(np.uint8)
    if cut.any():
        observations.input_truncated = cut
    scores = columns["score"].to_numpy()
    vectors = _vectors(columns["vector"], names) if "vector" in there else {}
    observations.values = {name: scores[place::step].copy() for place, name in enumerate(names) if name not in vectors}
    observations.vectors = vectors
    if "choice" in there:
        choice = columns["choice"].to_numpy()[::step]
        observations.choice = np.where(np.isnan(choice), NO_CHOICE, choice).astype(np.int32)
    if "input_truncated" in there:
        observations.input_truncated = columns["input_truncated"].to_numpy()[::step].astype(bool)
    return observations


def _refuse_others(columns: pa.Table, table: ItemTable, expected: IntArray, step: int) -> None:
    """Check that the rows are those of the items' requests, with `step` values each."""
    ids = columns["item"].combine_chunks().dictionary_encode()
    sizes = np.bincount(ids.indices.to_numpy(), minlength=len(table)).astype(np.int32) // step
    starts = np.repeat(np.cumsum(expected) - expected, expected)
    response = np.repeat(np.arange(int(expected.sum())) - starts, step)
    same = not len(columns) % step and ids.dictionary.to_pylist() == list(table.ids) and (sizes == expected).all()
    if not same or not np.array_equal(columns["response"].to_numpy(), response):
        raise pa.ArrowInvalid("its rows do not match the items")


def _vectors(column: pa.ChunkedArray[Any], names: Sequence[str]) -> dict[str, Vectors]:
    """The lists of each value with lists."""
    sizes = pc.fill_null(pc.list_value_length(column), -1).to_numpy().astype(np.int32)
    every = Vectors.of(sizes, pc.list_flatten(column).to_numpy())
    step = len(names)
    return {
        name: every.take(np.arange(place, len(sizes), step))
        for place, name in enumerate(names)
        if (sizes[place::step] >= 0).any()
    }
