"""The requests of each item, and their observations in the journal."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, Mask
from rmeval.errors import DamagedError, RunError
from rmeval.messages import count_of
from rmeval.protocols import ProtocolLike
from rmeval.protocols.base import sizes_of
from rmeval.store.items import StoredItems
from rmeval.store.journal import read_journal
from rmeval.types import Observation

__all__ = ["RequestTable", "read_observations", "requests_of"]

_WINDOW = 1 << 14
_KEY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RequestTable:
    """The requests of some items.

    Attributes:
        rows: int32[m], the row of each request among the distinct ones, in the order of items and their requests.
        offsets: int32[n + 1]: the requests of item i are `rows[offsets[i]:offsets[i + 1]]`.
    """

    rows: Codes
    offsets: Codes

    def items(self, requests: Mask) -> Mask:
        """bool[n]: whether all requests of each item are true in the mask, which is indexed by row."""
        wrong = np.concatenate([[0], np.cumsum(~requests[self.rows])])
        found: Mask = wrong[self.offsets[1:]] == wrong[self.offsets[:-1]]
        return found

    def take(self, items: Mask) -> RequestTable:
        """The requests of the items for which the mask bool[n] is true."""
        sizes = np.diff(self.offsets)
        return RequestTable(self.rows[np.repeat(items, sizes)], _offsets(sizes[items]))


def _offsets(sizes: Codes) -> Codes:
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def requests_of(protocol: ProtocolLike, stored: StoredItems) -> tuple[RequestTable, KeyIndex]:
    """The requests of a protocol for items without texts, and the index of distinct requests.

    Raises:
        RunError: If the number of requests depends on more than an item's responses and comparisons.
    """
    sizes = array("i")

    def keys() -> Iterator[Sequence[str]]:
        found: list[str] = []
        for item, digests in stored:
            own = protocol.keys(item, digests)
            sizes.append(len(own))
            found += own
            if len(found) >= _WINDOW:
                yield found
                found = []
        if found:
            yield found

    index = KeyIndex(keys())
    counts = np.array(sizes, np.int32)
    if (other := np.flatnonzero(counts != sizes_of(protocol, stored.table))).size:
        raise RunError(
            f"the protocol {protocol.name} makes {count_of(int(counts[other[0]]), 'request')} of the item "
            f"{stored.table.ids[other[0]]}, and another number of an item with as many responses and the same "
            "comparisons: let the number not depend on the id"
        )
    return RequestTable(index.rows, _offsets(counts)), index


def _is_empty(seen: Observation) -> bool:
    """Whether an observation with the status `ok` has no value."""
    return seen.status == "ok" and not seen.values and seen.choice is None


def read_observations(index: KeyIndex, folder: Path, run: str | None = None) -> ObservationTable:
    """Read the observations of some requests from the journal.

    Args:
        index: The requests.
        folder: The journal.
        run: The run to which it must belong, if it names one.

    Raises:
        RunError: If it is damaged.
    """
    observations = ObservationTable(len(index))
    for batch in read_journal(folder, run=run):
        keys = [one.key for one in batch]
        if not all(map(_KEY.fullmatch, keys)) or any(map(_is_empty, batch)):
            raise DamagedError(
                f"{folder} contains a line that is not an observation of a request: restore it from a copy"
            )
        observations.add(index.find(keys), batch)
    observations.share()
    return observations
