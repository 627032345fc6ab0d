"""What replicas report about their engines, summed up for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmeval.engines.ray.worker import Workplace
from rmeval.errors import ModelError

__all__ = ["Reports"]


class Reports:
    """The facts of all replicas since the beginning of a run."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, int], Mapping[str, Any]] = {}
        self._sharing: dict[str, Any] | str | None = None
        self._read: tuple[str, str] | None = None

    def add(self, workplace: Workplace, facts: Mapping[str, Any]) -> None:
        """Add the facts about a portion.

        Raises:
            ModelError: If replicas read scores in different ways.
        """
        self._facts[workplace.node, workplace.pid] = facts
        if (sharing := facts.get("prefix_sharing")) is not None:
            self._sharing = _added(self._sharing, sharing)
        if isinstance(readout := facts.get("readout"), dict) and "read" in readout:
            read, (before, host) = readout["read"], self._read or (readout["read"], workplace.host)
            if read != before:
                raise ModelError(
                    f"replicas read the score in different ways (on {host}: {before}; on {workplace.host}: {read}), so "
                    "that their scores do not compare: use the engine hf"
                )
            self._read = before, host

    def facts(self) -> dict[str, Any]:
        """The facts of all replicas; empty if there are none.

        A text that differs between them is a list of all; of other facts that differ, those of the first replica.
        """
        every = list(self._facts.values())
        found = {name: _joined([one.get(name) for one in every]) for name in (every[0] if every else ())}
        return found if self._sharing is None else found | {"prefix_sharing": self._sharing}


def _joined(values: list[Any]) -> Any:
    texts = list(dict.fromkeys(str(one) for one in values if one is not None))
    return "; ".join(texts) if isinstance(values[0], str) and len(texts) > 1 else values[0]


def _added(before: dict[str, Any] | str | None, sharing: dict[str, Any] | str) -> dict[str, Any] | str:
    """Sums of tokens, and the largest of the other numbers; the reason if a replica shares no prefixes."""
    if not isinstance(before, dict) or not isinstance(sharing, dict):
        return sharing if before is None else next(one for one in (before, sharing) if isinstance(one, str))
    return {
        name: before.get(name, 0) + own if name in ("tokens", "distinct") else max(before.get(name, own), own)
        for name, own in sharing.items()
    }
