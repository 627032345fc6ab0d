"""Protocols: how a benchmark's items become questions to a model, and its answers evidence."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence

from rmeval.protocols.pointwise import IMPORTED, POINTWISE
from rmeval.types import Evidence, Item, Observation, Request

__all__ = ["PROTOCOLS", "Protocol"]


class Protocol(typing.Protocol):
    """A way to ask. Orders, rotations and votes are decided here, so that nothing is left to chance elsewhere.

    What was asked is found again from conversation digests alone: evidence is folded without any text.

    Attributes:
        name: Name and version, part of a run's identity.
    """

    name: str

    def requests(self, items: Iterable[Item], digests: Mapping[str, Sequence[str]]) -> list[Request]:
        """All distinct questions about items that have their texts.

        Args:
            items: The items.
            digests: By item id, the conversation digest of each response.
        """
        ...

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """Keys of all the requests that tell of an item, from the digests of its conversations."""
        ...

    def fold(
        self,
        items: Iterable[Item],
        digests: Mapping[str, Sequence[str]],
        observations: Mapping[str, Observation],
        variant: str = "score",
    ) -> dict[str, Evidence]:
        """Gathers observations into evidence.

        Args:
            items: The items; their texts are not needed.
            digests: By item id, the conversation digest of each response.
            observations: By request key.
            variant: Which of the observed values to take.

        Returns:
            By item id.
        """
        ...


PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (POINTWISE, IMPORTED)}
