"""Token scores of a conversation."""

from __future__ import annotations

from dataclasses import dataclass

from rmeval.types import FloatArray

__all__ = ["TokenScores"]


@dataclass(frozen=True, slots=True)
class TokenScores:
    """The score of a head at each token of a conversation, as if the text ended there.

    Attributes:
        tokens: The tokens' texts.
        scores: float64[tokens]; the last one is the conversation's score.
        start: Position of the response's first token.
    """

    tokens: tuple[str, ...]
    scores: FloatArray
    start: int
