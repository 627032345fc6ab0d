"""Reads a run's items and observations from its folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark, benchmark_names, load_benchmark
from rmeval.benchmarks.built import BUILT
from rmeval.data.observations import ObservationTable
from rmeval.data.tables import EvidenceTable
from rmeval.errors import DamagedError, RmevalError, RunError
from rmeval.messages import quoted
from rmeval.plugins import is_file_spec
from rmeval.protocols import ProtocolLike, load_protocol, protocol_names
from rmeval.protocols.base import sizes_of
from rmeval.protocols.registry import stored_protocol
from rmeval.store.items import StoredItems, read_items, same_items
from rmeval.store.journal import journal_state
from rmeval.store.manifest import AGAIN, Manifest, read_manifest, run_id
from rmeval.store.parquet import reading
from rmeval.store.requests import RequestTable, read_observations, requests_of
from rmeval.store.scores import read_scores
from rmeval.store.steady import steadily

__all__ = ["UNFINISHED", "NothingScoredError", "StoredRun", "read_run", "read_scored"]

logger = logging.getLogger(__name__)
UNFINISHED = "unfinished: "
"""The beginning of the note of a run with missing items."""


class NothingScoredError(RunError):
    """Error for a run that has no observations yet."""


@dataclass(frozen=True)
class StoredRun:
    """A run as its folder stores it.

    Attributes:
        folder: The run folder.
        manifest: The contents of `run.json`.
        benchmark: Its benchmark.
        protocol: The protocol of its requests.
        items: The items of its numbers.
        requests: The requests of these items.
        observations: The observations, possibly of further requests.
        note: A note for the reader on missing items, if there are any.
    """

    folder: Path
    manifest: Manifest
    benchmark: Benchmark
    protocol: ProtocolLike
    items: StoredItems
    requests: RequestTable
    observations: ObservationTable
    note: str | None = None

    @property
    def variants(self) -> list[str]:
        """Names of the model's scores, the default first."""
        names, own = self.protocol.variants(self.observations), self.benchmark.card.variant
        return sorted(names, key=lambda name: name != own)

    def variant(self, wanted: str | None) -> str:
        """The name of one of the model's scores; the default if `wanted` is None.

        Raises:
            RunError: If there is no such score.
        """
        there = self.variants
        if wanted is None or wanted in there:
            return wanted or there[0]
        raise RunError(f"{self.folder} has no score {wanted!r}: it has {', '.join(there)}")

    def evidence(self, variant: str) -> EvidenceTable:
        """The evidence on the items by one of the model's scores."""
        return self.protocol.fold(self.items.table, self.observations, self.requests.rows, variant)

    def with_tags(self, tags: Collection[str]) -> StoredRun:
        """The run with only the comparisons that have one of the tags, and their requests."""
        table = self.items.table.with_tags(tags)
        rows: list[int] = []
        sizes: list[int] = []
        for position, (item, kept) in enumerate(zip(self.items.table, table, strict=True)):
            start, end = self.requests.offsets[position : position + 2].tolist()
            known = dict(zip(self.protocol.questions(item), self.requests.rows[start:end].tolist(), strict=True))
            own = [known[one] for one in self.protocol.questions(kept)]
            rows += own
            sizes.append(len(own))
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        requests = RequestTable(np.array(rows, np.int32), offsets)
        return replace(self, items=replace(self.items, table=table), requests=requests)


def read_run(folder: Path, benchmark: str | None = None, protocol: str | None = None) -> StoredRun:
    """Read a run's manifest, items and journal; read them again if another process writes them meanwhile.

    Args:
        folder: The run folder.
        benchmark: Its benchmark, if that is a `file.py:Class`.
        protocol: Its protocol, if that is a `file.py:Class`.

    Raises:
        RunError: If a file is missing or damaged, or the benchmark or protocol must be given.
    """
    return steadily(folder, lambda: _read_run(folder, benchmark, protocol))


def _read_run(folder: Path, benchmark: str | None, protocol: str | None) -> StoredRun:
    manifest = read_manifest(folder)
    found, asking = _benchmark(folder, manifest, benchmark), _protocol(folder, manifest, protocol)
    own = run_id(manifest["identity"])
    stored = read_items(folder / "items.parquet", own)
    requests, index = requests_of(asking, stored)
    observations = read_observations(index, folder / "journal", own)
    missing = int((observations.status == 0).sum())
    if missing and manifest["status"] == "complete":
        raise DamagedError(
            f"the journal lacks {missing} observations of a complete run in {folder}: restore it from a copy, "
            "or run the command of the run again"
        )
    run = StoredRun(folder, manifest, found, asking, stored, requests, observations)
    if not missing:
        return run
    scored = requests.items(observations.status != 0)
    if not scored.any():
        raise NothingScoredError(f"{folder} contains no scores yet: run the command of the run again")
    note = f"{UNFINISHED}{scored.sum()} of {len(scored)} items are scored, and the numbers are of these"
    return replace(run, items=stored.take(scored), requests=requests.take(scored), note=note)


def read_scored(
    folder: Path, benchmark: str | None = None, protocol: str | None = None, like: StoredRun | None = None
) -> StoredRun:
    """Read a run like `read_run`, but from `scores.parquet` if it exists, which is much faster.

    That file does not contain error messages of missing scores.

    Args:
        folder: The run folder.
        benchmark: Its benchmark, if that is a `file.py:Class`.
        protocol: Its protocol, if that is a `file.py:Class`.
        like: Another run, whose items are used if they are the same.

    Raises:
        RunError: As `read_run`.
    """
    return steadily(folder, lambda: _read_scored(folder, benchmark, protocol, like))


def _read_scored(folder: Path, benchmark: str | None, protocol: str | None, like: StoredRun | None) -> StoredRun:
    manifest = read_manifest(folder)
    file = folder / "scores.parquet"
    if manifest["status"] != "complete" or not os.path.lexists(file):
        return _read_run(folder, benchmark, protocol)
    found, asking = _benchmark(folder, manifest, benchmark), _protocol(folder, manifest, protocol)
    items, own = folder / "items.parquet", run_id(manifest["identity"])
    shared = like is not None and like.note is None and same_items(like.items, like.folder / items.name, items)
    stored = like.items if like is not None and shared else read_items(items, own)
    try:
        with reading(file, own, journal_state(folder / "journal")) as table:
            sizes = sizes_of(asking, stored.table)
            observations = read_scores(table, stored.table, sizes)
    except DamagedError as error:
        logger.warning("%s: the journal is read instead, and rmeval run rewrites that file", error)
        return _read_run(folder, benchmark, protocol)
    count = len(observations.status)
    requests = RequestTable(np.arange(count, dtype=np.int32), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    return StoredRun(folder, manifest, found, asking, stored, requests, observations)


def _protocol(folder: Path, manifest: Manifest, given: str | None) -> ProtocolLike:
    """The run's protocol; code that a run folder names runs only with the user's permission."""
    spec, identity = manifest["protocol"], manifest["identity"]
    if (card := manifest.get("protocol_card")) is not None:
        return _of_card(folder, card, identity)
    if given is not None and not is_file_spec(given):
        load_protocol(given)  # Raises an error for an unknown name.
    if is_file_spec(spec) and given is None:
        raise RunError(f"{folder} was made with the protocol {spec}: if you trust that file, give `protocol` {spec}")
    code = identity.get("protocol_code")
    if not is_file_spec(spec) and spec not in protocol_names():
        needed = f"the package {code}" if code else "a newer rmeval or the package that registers it"
        raise RunError(f"{folder} was made with the protocol {quoted(spec)}, which is not installed: install {needed}")
    found = load_protocol(given if given is not None and is_file_spec(spec) else spec)
    if found.protocol.name != identity.get("protocol", spec):
        raise RunError(
            f"{folder} was made with the protocol {identity['protocol']}, but {found.spec} is {found.protocol.name}: "
            "give the file of the first with `protocol`"
        )
    if found.code != code:
        logger.warning("the protocol %s has changed since %s was made", found.spec, folder)
    return found.protocol


def _of_card(folder: Path, card: dict[str, Any], identity: Mapping[str, Any]) -> ProtocolLike:
    """The protocol of a judge's run, which is data and opens without the file that it came from."""
    try:
        found = stored_protocol(card, str(identity.get("protocol")))
    except RmevalError as error:
        raise DamagedError(f"{folder / 'run.json'} is damaged (protocol_card: {error}): {AGAIN}") from error
    if found.name != identity.get("protocol") or found.prompt != identity.get("prompt"):
        raise DamagedError(f"{folder / 'run.json'} is damaged (protocol_card is not that of the identity): {AGAIN}")
    return found


def _benchmark(folder: Path, manifest: Manifest, given: str | None) -> Benchmark:
    """The run's benchmark; code that a run folder names runs only with the user's permission."""
    made = manifest["benchmark"]
    if is_file_spec(made["spec"]) and given is None:
        raise RunError(
            f"{folder} was made with the benchmark {made['spec']}: if you trust that file, "
            f"give `benchmark` {made['spec']}"
        )
    # A file that is given is that of other runs, where a name finds this run's benchmark.
    spec = made["spec"] if given is None or made["spec"] in (BUILT, *benchmark_names()) else given
    try:
        found = load_benchmark(spec, made["data"], **made.get("options", {}))
    except TypeError as error:
        raise DamagedError(f"{folder / 'run.json'} is damaged (benchmark.options: {error}): {AGAIN}") from error
    if found.card.id != made["id"]:
        raise RunError(
            f"{folder} was made with the benchmark {made['id']}, but {spec} is {found.card.id}: "
            "give the file of the first with `benchmark`"
        )
    return found
