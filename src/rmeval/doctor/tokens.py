"""Compares the tokens that two sides read, before their scores are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rmeval.doctor.sides import Opened
from rmeval.types import Request

if TYPE_CHECKING:
    from rmeval.rendering.chat import Renderer, TokenArray

__all__ = ["TokenCheck", "check_tokens"]

_SHOWN = 8
"""Number of tokens that are shown from the first difference on."""


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """Whether two sides read the same tokens.

    Attributes:
        equal: None if it is unknown.
        text: What was compared, or the first difference.
    """

    equal: bool | None
    text: str


def check_tokens(a: Opened, b: Opened, requests: Sequence[Request]) -> TokenCheck:
    """Compare the tokens of two sides.

    Args:
        a: The first side.
        b: The second side.
        requests: The requests.

    Raises:
        ModelError: If a side cannot render them.
    """
    one, two = a.tokens(requests), b.tokens(requests)
    if isinstance(one, str) or isinstance(two, str):
        return TokenCheck(None, "; ".join(text for text in (one, two) if isinstance(text, str)))
    both = [request.key for request in requests if request.key in one and request.key in two]
    other = [key for key in both if not np.array_equal(one[key], two[key])]
    renderer = a.renderer or b.renderer
    if not other:
        who = "rmeval renders for both sides" if a.renderer and b.renderer else "as the server renders them"
        return TokenCheck(True, f"equal in all {len(both)} requests that were compared: {who}")
    place = _first_difference(one[other[0]], two[other[0]])
    ends = [own[other[0]][place : place + _SHOWN].tolist() for own in (one, two)]
    shown = ", ".join(f"{side.name} reads {_shown(end, renderer)}" for side, end in zip((a, b), ends, strict=True))
    return TokenCheck(False, f"{len(other)} of {len(both)} requests differ, the first from token {place} on: {shown}")


def _first_difference(a: TokenArray, b: TokenArray) -> int:
    """The position of the first difference, which may be the end of the shorter one."""
    shorter = min(len(a), len(b))
    return int(np.argmax(np.append(a[:shorter] != b[:shorter], True)))


def _shown(tokens: list[int], renderer: Renderer | None) -> str:
    if not tokens:
        return "nothing more"
    ids = ", ".join(map(str, tokens[:3])) + (", ..." if len(tokens) > 3 else "")
    return ids if renderer is None else f"{renderer.tokenizer.decode(tokens)!r} ({ids})"
