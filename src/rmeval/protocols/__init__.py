"""Protocols: how a benchmark's items become questions to a model, and its answers evidence."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.protocols.pairwise import PAIRWISE, PAIRWISE_CHOSEN
from rmeval.protocols.pointwise import IMPORTED, POINTWISE
from rmeval.protocols.verdicts import VERDICTS, VERDICTS_BOTH
from rmeval.types import IntArray, Item, Request

__all__ = ["PROTOCOLS", "Protocol"]


class Protocol(typing.Protocol):
    """A way to ask. Orders, rotations and votes are decided here, so that nothing is left to chance elsewhere.

    What was asked is found again from conversation digests alone: evidence is folded without any text.

    Attributes:
        name: Name and version, part of a run's identity.
    """

    name: str

    def requests(self, item: Item, digests: Sequence[str]) -> list[Request]:
        """All questions about an item that has its texts, one a key.

        Args:
            item: The item.
            digests: The conversation digest of each response.
        """
        ...

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """Keys of all the requests that tell of an item, from the digests of its conversations, which are enough."""
        ...

    def sizes(self, items: ItemTable) -> IntArray:
        """int64[n]: how many requests tell of each item."""
        ...

    def variants(self, observations: ObservationTable) -> list[str]:
        """Names of the evidence that can be made of the answers, what is meant by default first."""
        ...

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """What a reader of the numbers must know of how it was answered."""
        ...

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """How many of the pairs of responses that comparisons are about became the same tokens, with unequal texts."""
        ...

    def fold(
        self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str = "score"
    ) -> EvidenceTable:
        """Gathers answers into evidence.

        Args:
            items: The items.
            observations: What came back.
            rows: int32[m], the row in `observations` of each of the items' requests, in the order of `keys`.
            variant: Which of the observed values to take.
        """
        ...


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (POINTWISE, IMPORTED, PAIRWISE, PAIRWISE_CHOSEN, VERDICTS, VERDICTS_BOTH)
}
