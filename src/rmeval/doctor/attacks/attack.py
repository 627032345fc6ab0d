"""Programs that attack the machine on which they run.

Each reads what to attack as JSON from standard input, prints a line that begins with GOT for everything that it
reached, and TRIED at the end. Without a sandbox each of them succeeds, within the amounts that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.sandbox import Outcome

__all__ = ["Attack", "source"]

_BEGINNING = """
import ctypes, json, os, signal, socket, sys, time
given = json.load(sys.stdin)
def got(what):
    print("GOT", what, flush=True)
"""
_END = """
print("TRIED", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        name: What it attacks.
        code: The program between `_BEGINNING` and `_END`.
        ends: How it may end; those that end by themselves must have tried everything.
    """

    name: str
    code: str
    ends: Sequence[str] = ("exit",)

    def trouble(self, outcome: Outcome) -> str | None:
        """What it reached, or why it says nothing; None if it was contained."""
        lines = outcome.stdout.splitlines()
        reached = [line.removeprefix("GOT ") for line in lines if line.startswith("GOT ")]
        if reached:
            return "; ".join(reached[:3])
        if outcome.status not in self.ends:
            return f"it ended with {outcome.status}, not {' or '.join(self.ends)}: {outcome.stderr.strip()[-200:]}"
        if outcome.status == "exit" and "TRIED" not in lines:
            return f"it did not come to its end: {outcome.stderr.strip()[-200:]}"
        return None


def source(attack: Attack) -> str:
    """The whole program of an attack."""
    return f"{_BEGINNING}{attack.code}{_END}"
