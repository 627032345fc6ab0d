"""Cards of judges' protocols: TOML files with the prompt, the labels and how a verdict is read."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from rmeval.errors import RunError, reason_of
from rmeval.protocols.judging.asked import Form, Sampling
from rmeval.protocols.judging.options import Order

__all__ = ["JudgeCard", "card_names", "find_card", "read_card"]

Kind = Literal["pair", "best", "rate", "rate-all"]
"""What one question is about: two responses, the best of several, one response, or a rating of each of several."""


@dataclass(frozen=True, slots=True)
class JudgeCard:
    """A judge's protocol as data.

    Attributes:
        name: Name and version, such as `five-way@1`.
        kind: What one question is about.
        reads: How the verdict is read.
        prompt: Jinja template of the user's turn.
        system: Jinja template of the system message; empty for none.
        verdicts: For pairs: by label, the probability that the response presented first is better (1, 0.5 or 0).
        find: Regular expression whose first group is the label in an output.
        orders: In which orders responses can be presented, the default first.
        sampling: How the judge writes, unless the user decides otherwise.
        source: Where labels and scale come from.
    """

    name: str
    kind: Kind
    reads: Form
    prompt: str
    system: str = ""
    verdicts: Mapping[str, float] = field(default_factory=dict)
    find: str = ""
    orders: tuple[Order, ...] = ("both", "seeded")
    sampling: Sampling = field(default_factory=Sampling)
    source: str = ""

    @property
    def digest(self) -> str:
        """12 hex digits of everything that changes verdicts."""
        own = {"kind": self.kind, "reads": self.reads, "prompt": self.prompt, "system": self.system}
        own |= {"verdicts": dict(self.verdicts), "find": self.find}  # type: ignore[dict-item]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:12]


@cache
def card_names() -> tuple[str, ...]:
    """The names of the cards that come with rmeval."""
    return tuple(sorted(card.name for card in _own_cards().values()))


@cache
def _own_cards() -> Mapping[str, JudgeCard]:
    folder = files("rmeval.protocols") / "cards"
    found = (
        _card(tomllib.loads(file.read_text(encoding="utf-8")), file.name)
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    )
    return {card.name: card for card in found}


def find_card(name: str) -> JudgeCard | None:
    """The card of a name with or without its version (then the newest); None if there is none."""
    own = _own_cards()
    versions = sorted(
        (one for one in own if one.partition("@")[0] == name), key=lambda one: int(one.rpartition("@")[2])
    )
    return own.get(name) or (own[versions[-1]] if versions else None)


def read_card(file: Path) -> JudgeCard:
    """Read a user's card.

    Raises:
        RunError: If the file cannot be read, or lacks a part.
    """
    try:
        return _card(tomllib.loads(file.read_text(encoding="utf-8")), str(file))
    except (OSError, ValueError) as error:
        raise RunError(f"the protocol {file} cannot be read ({reason_of(error)}): correct `protocol`") from error


def _card(table: Mapping[str, Any], where: str) -> JudgeCard:
    try:
        re.compile(table.get("find", ""))
        sampling = Sampling(**table.get("sampling", {}))
        return JudgeCard(**{**table, "sampling": sampling})
    except (TypeError, re.error) as error:
        raise RunError(f"the protocol {where} is not usable ({reason_of(error)}): correct it") from error
