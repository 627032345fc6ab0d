"""What the index holds of a run, as columns computed from the run's items and evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rmeval.data.digests import digest
from rmeval.data.tables import Codes, EvidenceTable
from rmeval.metrics.margins import Margins, margins
from rmeval.store.items import StoredItems
from rmeval.store.run import StoredRun

__all__ = ["RunColumns", "item_keys"]


@dataclass(frozen=True)
class RunColumns:
    """A run's comparisons with their margins, and its scores.

    Attributes:
        evidence: The evidence by the model's first score.
        margins: The margins.
        length: int32[m], characters of the winner less those of the other response.
    """

    evidence: EvidenceTable
    margins: Margins
    length: Codes

    @classmethod
    def of(cls, run: StoredRun) -> RunColumns:
        """Compute the columns of a run."""
        evidence = run.evidence(run.variants[0])
        found = margins(evidence)
        first, characters = evidence.table.offsets[:-1], run.items.counts["characters"]
        start = first[found.item]
        length = characters[start + _winners(evidence, found)] - characters[start + found.against]
        return cls(evidence, found, length)

    def judged(self) -> Iterator[tuple[int, int, str, float | None, int]]:
        """Yield of each comparison: the item's position, its number, its tag, its margin, its length difference."""
        own = self.margins
        for start in range(0, len(own.margin), _CHUNK):
            part = slice(start, start + _CHUNK)
            lists = (column[part].tolist() for column in (own.item, own.number, own.tag, own.margin, self.length))
            for item, number, tag, margin, length in zip(*lists, strict=True):
                yield item, number, own.tags[tag], None if margin != margin else margin, length

    def scores(self) -> Iterator[bytes]:
        """Yield the scores of each item's responses, float64 in little-endian order."""
        data = self.evidence.scores.astype("<f8").tobytes()
        offsets = (8 * self.evidence.table.offsets.astype(np.int64)).tolist()
        for start, end in pairwise(offsets):
            yield data[start:end]


_CHUNK = 1 << 14


def _winners(evidence: EvidenceTable, found: Margins) -> Codes:
    """The position of each comparison's winner among its item's responses, int32[m]."""
    table = evidence.table
    widest = max((len(shape.comparisons) for shape in table.shapes), default=0)
    winner = np.zeros((len(table.shapes), max(widest, 1)), np.int32)
    for code, shape in enumerate(table.shapes):
        for number, one in enumerate(shape.comparisons):
            winner[code, number] = one.members[one.gold or 0]
    positions: Codes = winner[table.shape[found.item], found.number]
    return positions


def item_keys(benchmark: str, items: StoredItems) -> Iterator[str]:
    """Yield a key for each item: 16 hex digits of the digest of its benchmark, id, conversations and comparisons.

    Runs share an item only if they agree on all of it, so that a changed text or a corrected gold is another item.
    """
    shapes = [digest([[c.members, c.gold, c.tag] for c in shape.comparisons]) for shape in items.table.shapes]
    for name, shape, conversations in zip(items.table.ids, items.table.shape.tolist(), items.digests(), strict=True):
        text = "\n".join((benchmark, shapes[shape], *conversations, name))
        yield hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
