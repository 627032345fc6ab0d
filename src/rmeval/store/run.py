"""What a run folder holds of a run: its items, and what the model said of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.benchmarks import Benchmark, load_benchmark
from rmeval.data.observations import STATUSES, ObservationTable
from rmeval.data.tables import Codes, EvidenceTable
from rmeval.errors import DamagedError, RunError
from rmeval.plugins import is_file_spec
from rmeval.protocols import PROTOCOLS, Protocol
from rmeval.store.items import StoredItems, read_items, same_items
from rmeval.store.journal import journal_state
from rmeval.store.manifest import AGAIN, read_manifest, run_id
from rmeval.store.parquet import reading, writing
from rmeval.store.requests import RequestTable, read_observations, requests_of
from rmeval.store.steady import steadily

__all__ = ["NothingScoredError", "StoredRun", "read_run", "read_scored", "write_scores"]

logger = logging.getLogger(__name__)


class NothingScoredError(RunError):
    """A run that was begun and has no answer yet, as one that was refused."""


@dataclass(frozen=True)
class StoredRun:
    """A run, without its model.

    Attributes:
        folder: The run folder.
        manifest: What its `run.json` holds.
        benchmark: Its benchmark.
        items: The items that its numbers are of.
        requests: Those items' requests.
        observations: What came back, maybe of more requests than those.
        note: What a reader must know of items that are missing, if any are.
    """

    folder: Path
    manifest: Mapping[str, Any]
    benchmark: Benchmark
    items: StoredItems
    requests: RequestTable
    observations: ObservationTable
    note: str | None = None

    @property
    def protocol(self) -> Protocol:
        """How the model was asked."""
        return PROTOCOLS[self.manifest["protocol"]]

    @property
    def variants(self) -> list[str]:
        """Names of the scores that the model gives, what is meant by default first."""
        names, own = self.protocol.variants(self.observations), self.benchmark.card.variant
        return sorted(names, key=lambda name: name != own)

    def variant(self, wanted: str | None) -> str:
        """The name of a score that the model gives; the first if none is wanted.

        Raises:
            RunError: If it gives no such score.
        """
        there = self.variants
        if wanted is None or wanted in there:
            return wanted or there[0]
        raise RunError(f"{self.folder} has no score {wanted!r}: it has {', '.join(there)}")

    def evidence(self, variant: str) -> EvidenceTable:
        """What the model said of the items, by one of its scores."""
        return self.protocol.fold(self.items.table, self.observations, self.requests.rows, variant)


def read_run(folder: Path, benchmark: str | None = None) -> StoredRun:
    """Reads a run's manifest, its items and its journal; again, where another process writes them meanwhile.

    Args:
        folder: The run folder.
        benchmark: Its benchmark, where that is a `file.py:Class`.

    Raises:
        RunError: If a file is missing or damaged, or the benchmark has to be named.
    """
    return steadily(folder, lambda: _read_run(folder, benchmark))


def _read_run(folder: Path, benchmark: str | None) -> StoredRun:
    manifest = read_manifest(folder)
    found = _benchmark(folder, manifest, benchmark)
    own = run_id(manifest["identity"])
    stored = read_items(folder / "items.parquet", own)
    requests, index = requests_of(PROTOCOLS[manifest["protocol"]], stored)
    observations = read_observations(index, folder / "journal", own)
    missing = int((observations.status == 0).sum())
    if missing and manifest["status"] == "complete":
        raise DamagedError(
            f"the journal lacks {missing} answers of a complete run in {folder}: restore it from a copy, "
            "or give the command that made the run again"
        )
    run = StoredRun(folder, manifest, found, stored, requests, observations)
    if not missing:
        return run
    scored = requests.items(observations.status != 0)
    if not scored.any():
        raise NothingScoredError(f"nothing in {folder} is scored yet: give the command that began the run again")
    note = f"unfinished: these are the numbers of the {scored.sum()} of {len(scored)} items that are scored"
    return replace(run, items=stored.take(scored), requests=requests.take(scored), note=note)


def read_scored(folder: Path, benchmark: str | None = None, like: StoredRun | None = None) -> StoredRun:
    """Reads a run as `read_run` does, but from `scores.parquet` where it is there, which takes a fraction of the time.

    What went wrong with answers that have no score is not among what that file holds.

    Args:
        folder: The run folder.
        benchmark: Its benchmark, where that is a `file.py:Class`.
        like: Another run, whose items are taken where they are the same.

    Raises:
        RunError: As `read_run`.
    """
    return steadily(folder, lambda: _read_scored(folder, benchmark, like))


def _read_scored(folder: Path, benchmark: str | None, like: StoredRun | None) -> StoredRun:
    manifest = read_manifest(folder)
    file = folder / "scores.parquet"
    if manifest["status"] != "complete" or not os.path.lexists(file):
        return _read_run(folder, benchmark)
    found = _benchmark(folder, manifest, benchmark)
    items, own = folder / "items.parquet", run_id(manifest["identity"])
    shared = like is not None and like.note is None and same_items(like.items, like.folder / items.name, items)
    stored = like.items if like is not None and shared else read_items(items, own)
    try:
        with reading(file, own, journal_state(folder / "journal")) as table:
            observations, sizes = _scores(table, PROTOCOLS[manifest["protocol"]], stored)
    except DamagedError as error:
        logger.warning("%s: the journal is read instead, and rmeval run writes that file anew", error)
        return _read_run(folder, benchmark)
    count = len(observations.status)
    requests = RequestTable(np.arange(count, dtype=np.int32), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return StoredRun(folder, manifest, found, stored, requests, observations)


def _scores(table: pq.ParquetFile, protocol: Protocol, stored: StoredItems) -> tuple[ObservationTable, Codes]:
    """The answers that a file of scores holds, and how many there are of each item."""
    columns = table.read(columns=["item", "response", "variant", "score", "status"])
    names = [str(name) for name in pc.unique(columns["variant"].slice(0, 64)).to_pylist()]
    count, rest = divmod(len(columns), len(names))
    ids = columns["item"].combine_chunks().dictionary_encode()
    sizes = np.bincount(ids.indices.to_numpy(), minlength=len(stored.table)).astype(np.int32) // len(names)
    codes = pc.index_in(columns["status"], pa.array(STATUSES)).to_numpy()
    expected = protocol.sizes(stored.table)
    starts = np.repeat(np.cumsum(expected) - expected, expected)
    response = np.repeat(np.arange(int(expected.sum())) - starts, len(names))
    same = not rest and ids.dictionary.to_pylist() == list(stored.table.ids) and (sizes == expected).all()
    if not same or not np.array_equal(columns["response"].to_numpy(), response):
        raise pa.ArrowInvalid("its rows are not those of the items")
    scores = columns["score"].to_numpy()
    observations = ObservationTable(count)
    observations.status = codes[:: len(names)].astype(np.uint8)
    observations.values = {name: scores[place :: len(names)].copy() for place, name in enumerate(names)}
    return observations, sizes


def _benchmark(folder: Path, manifest: Mapping[str, Any], benchmark: str | None) -> Benchmark:
    """The run's benchmark; code that a run folder names is never run unasked."""
    made = manifest["benchmark"]
    if is_file_spec(made["spec"]) and benchmark is None:
        raise RunError(
            f"{folder} was made with the benchmark {made['spec']}: if you trust that file, "
            f"give `benchmark` {made['spec']}"
        )
    try:
        return load_benchmark(benchmark or made["spec"], made["data"], **made.get("options", {}))
    except TypeError as error:
        raise DamagedError(f"{folder / 'run.json'} is damaged (benchmark.options: {error}): {AGAIN}") from error


_SCORES: dict[str, pa.DataType] = {
    "item": pa.string(),
    "response": pa.int64(),
    "variant": pa.string(),
    "score": pa.float64(),
    "status": pa.string(),
    "tokens": pa.int64(),
}


def write_scores(run: StoredRun, path: Path) -> None:
    """Writes a row a request and variant; `response` counts the requests of an item."""
    table, requests, observations = run.items.table, run.requests, run.observations
    variants = list(observations.values) or ["score"]
    nothing = np.full(len(observations.status), np.nan)
    names = iter(table.ids)
    schema = pa.schema(_SCORES)
    state = journal_state(run.folder / "journal")
    with writing(path, schema, run_id(run.manifest["identity"]), state) as writer:
        for start in range(0, len(table), _GROUP):
            end = min(start + _GROUP, len(table))
            first, last = requests.offsets[start], requests.offsets[end]
            sizes = np.diff(requests.offsets[start : end + 1])
            rows = np.repeat(requests.rows[first:last], len(variants))
            scores = np.stack(
                [observations.values.get(name, nothing)[requests.rows[first:last]] for name in variants], axis=1
            )
            place = np.arange(last - first) - np.repeat(requests.offsets[start:end] - first, sizes)
            tokens = np.full(len(rows), -1) if observations.tokens is None else observations.tokens[rows]
            item = np.repeat(np.arange(end - start), sizes * len(variants))
            columns: list[pa.Array[Any]] = [
                pa.array(islice(names, end - start), pa.string()).take(pa.array(item, pa.int64())),
                pa.array(np.repeat(place, len(variants)), pa.int64()),
                pa.array(np.tile(np.array(variants, object), int(last - first)), pa.string()),
                pa.array(scores.ravel(), pa.float64(), from_pandas=True),
                pa.DictionaryArray.from_arrays(observations.status[rows], pa.array(STATUSES)).cast(pa.string()),
                pa.array(tokens, pa.int64(), mask=tokens < 0),
            ]
            writer.write_table(pa.table(columns, schema=schema))


_GROUP = 1 << 14
