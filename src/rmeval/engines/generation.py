"""Generation of texts by engines: how tokens are drawn, and what a language model generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Generated", "Generation"]


@dataclass(frozen=True, slots=True)
class Generation:
    """How a language model continues sequences.

    Attributes:
        temperature: 0 chooses the most probable token, and otherwise tokens are drawn.
        top_p: Share of the probability from which tokens are drawn.
        stops: The tokens that end a text.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    stops: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """The continuation of one sequence.

    Attributes:
        index: The position of the sequence in the list that was passed.
        tokens: The generated tokens, without the one that ended the text.
        finish: Whether a token of `Generation.stops` ended it, or its limit did.
    """

    index: int
    tokens: tuple[int, ...]
    finish: Literal["stop", "length"]
