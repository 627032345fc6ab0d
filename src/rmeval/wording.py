"""How numbers of things are said."""

from __future__ import annotations

__all__ = ["count_of"]


def count_of(number: int, what: str) -> str:
    """A number of things: `1 item`, `2 items`."""
    return f"{number:d} {what}{'' if number == 1 else 's'}"
