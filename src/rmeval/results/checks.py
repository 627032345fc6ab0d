"""The result of one check of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Check", "State", "holds", "unknown", "wrong"]


class State(StrEnum):
    """Whether a check holds."""

    HOLDS = "holds"
    WRONG = "does not hold"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: What is checked.
        state: Whether it holds.
        detail: What was compared, or what is wrong.
    """

    name: str
    state: State
    detail: str


def holds(name: str, detail: str) -> Check:
    """A check that holds."""
    return Check(name, State.HOLDS, detail)


def wrong(name: str, detail: str) -> Check:
    """A check that does not hold."""
    return Check(name, State.WRONG, detail)


def unknown(name: str, detail: str) -> Check:
    """A check that cannot be made."""
    return Check(name, State.UNKNOWN, detail)
