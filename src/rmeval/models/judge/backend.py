"""The interface of what runs a judge: a server, an engine, or another package's client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from rmeval.protocols.judging import Asked, Output

__all__ = ["Backend", "HasKey", "Spends"]


class Backend(Protocol):
    """What turns prompts into outputs."""

    @property
    def name(self) -> str:
        """Short name of the judge, for tables and folders."""
        ...

    def identity(self) -> dict[str, Any]:
        """What outputs depend on besides prompts and sampling: the model, and how it is run; never an address."""
        ...

    def facts(self) -> dict[str, Any]:
        """Facts about the run, for the manifest."""
        ...

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request with its output, in batches, in any order.

        Raises:
            ModelError: If nothing can be asked; what came before has been yielded.
        """
        ...


@runtime_checkable
class HasKey(Protocol):
    """A backend that sends a key, which a server may repeat."""

    def without_key(self, text: str) -> str:
        """Return a text that the server wrote, without the key."""
        ...


@runtime_checkable
class Spends(Protocol):
    """A backend whose calls cost money."""

    @property
    def cost(self) -> float | None:
        """What the calls so far cost in dollars; None if prices are not known."""
        ...
