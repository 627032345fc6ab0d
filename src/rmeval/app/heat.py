"""Two responses as lines of tokens, coloured by the change of the score at each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.messages import count_of, visible
from rmeval.models.token_scores import TokenScores
from rmeval.types import FloatArray

__all__ = ["MOST_TOKENS", "STEPS", "Heat", "HeatLine", "HeatToken", "LargestChange", "heat_of"]

STEPS = 5
"""Colours on each side of the neutral one."""
MOST_TOKENS = 4_000
"""Tokens of a response that are drawn; each is an element of the page."""
_LARGEST = 8
_FULL = 0.98
"""The quantile of the absolute changes that has the strongest colour: a single extreme token would make all others
pale."""
_WIDTH, _HEIGHT = 1000.0, 100.0
"""The size of the curves in their own units; the page stretches them."""
_GAP = 8
"""Characters of a text that a tokenizer may leave out between two tokens, such as the space that begins a word."""


@dataclass(frozen=True, slots=True)
class HeatToken:
    """A token of a response.

    Attributes:
        text: Its text, with escapes for invisible characters.
        step: Its colour, from -5 (lowers the score most) to 5 (raises it most).
        title: The change and the score after it.
    """

    text: str
    step: int
    title: str


@dataclass(frozen=True, slots=True)
class LargestChange:
    """One of the tokens that change the score most.

    Attributes:
        number: Its number in the response, from 1.
        text: Its text.
        change: By how much the score changes.
        score: The score after it.
    """

    number: int
    text: str
    change: str
    score: str


@dataclass(frozen=True, slots=True)
class HeatLine:
    """A response.

    Attributes:
        tokens: Its tokens.
        score: The score of the whole response.
        largest: The tokens that change the score most, the largest change first.
        curve: The points of the score along the tokens, for a polyline.
        note: What is not drawn; empty if nothing is left out.
    """

    tokens: tuple[HeatToken, ...]
    score: str
    largest: tuple[LargestChange, ...]
    curve: str
    note: str


@dataclass(frozen=True, slots=True)
class Heat:
    """Both responses on one scale.

    Attributes:
        lines: The responses.
        full: The change from which on a token has the strongest colour.
        lowest: The lowest score of both curves.
        highest: The highest one.
        longest: Number of tokens of the longer response.
    """

    lines: tuple[HeatLine, ...]
    full: str
    lowest: str
    highest: str
    longest: int


def heat_of(scored: Sequence[tuple[TokenScores, str]]) -> Heat:
    """Colour the tokens of some responses on one scale.

    Args:
        scored: Token scores and text of each response. The change at a token is the score after it less the score
            before it; the change at the first one is against the end of the prompt.
    """
    changes = [_changes(one) for one, _ in scored]
    curves = [_finite(one.scores[one.start :]) for one, _ in scored]
    every = np.concatenate([*curves, np.zeros(0)])
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 0.0)
    size = np.abs(_finite(np.concatenate([*changes, np.zeros(0)])))
    full = float(np.quantile(size, _FULL)) if len(size) else 0.0
    longest = max((len(one) for one in changes), default=0)
    lines = [
        _line(one, text, change, full, _Frame(low, high, longest))
        for (one, text), change in zip(scored, changes, strict=True)
    ]
    return Heat(tuple(lines), f"{full:.3g}", f"{low:.4g}", f"{high:.4g}", longest)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The range of the curves: scores from bottom to top, and tokens from left to right."""

    low: float
    high: float
    longest: int

    def points(self, scores: FloatArray) -> str:
        span = self.high - self.low
        height = (scores - self.low) / span if span > 0 else np.full(len(scores), 0.5)
        across = (np.arange(len(scores)) + 1) / max(self.longest, 1) * _WIDTH
        shown = zip(across.tolist(), ((1 - height) * _HEIGHT).tolist(), scores.tolist(), strict=True)
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, score in shown if np.isfinite(score))


def _changes(one: TokenScores) -> FloatArray:
    before = one.scores[one.start - 1 : -1] if one.start > 0 else np.concatenate([[np.nan], one.scores[:-1]])
    with np.errstate(invalid="ignore"):
        found: FloatArray = one.scores[one.start :] - before
    return found


def _finite(values: FloatArray) -> FloatArray:
    found: FloatArray = values[np.isfinite(values)]
    return found


def _line(one: TokenScores, text: str, change: FloatArray, full: float, frame: _Frame) -> HeatLine:
    texts = list(_with_gaps(one.tokens[one.start :], text))
    scores = one.scores[one.start :]
    tokens = [
        HeatToken(visible(own, lines=True), _step(move, full), _title(move, score))
        for own, move, score in zip(texts[:MOST_TOKENS], change.tolist(), scores.tolist(), strict=False)
    ]
    size = np.where(np.isfinite(change), np.abs(change), -1.0)
    order = np.argsort(-size, kind="stable")[:_LARGEST].tolist()
    largest = [
        LargestChange(k + 1, visible(texts[k].strip() or repr(texts[k])), f"{change[k]:+.3g}", f"{scores[k]:.4g}")
        for k in order
        if size[k] > 0
    ]
    left = len(texts) - len(tokens)
    note = f"{count_of(left, 'more token')} not drawn; the curve has all" if left else ""
    score = f"{scores[-1]:.4g}" if len(scores) and np.isfinite(scores[-1]) else "-"
    return HeatLine(tuple(tokens), score, tuple(largest), frame.points(scores), note)


def _step(change: float, full: float) -> int:
    if not np.isfinite(change) or full == 0:
        return 0
    return int(np.clip(np.rint(STEPS * change / full), -STEPS, STEPS))


def _title(change: float, score: float) -> str:
    return f"{change:+.3g}, score {score:.4g}" if np.isfinite(change) else "no score"


def _with_gaps(tokens: Sequence[str], text: str) -> Iterator[str]:
    """The tokens with the spaces between them, which some tokenizers leave out of a token that is decoded alone."""
    place = 0
    for token in tokens:
        bare = token.strip()
        found = text.find(bare, place, place + len(token) + _GAP) if bare else -1
        if found < 0 or not text[place:found].isspace() or token[:1].isspace():
            yield token
            place = found + len(bare) if found >= 0 else place + len(token) if text.startswith(token, place) else place
        else:
            yield text[place:found] + token
            place = found + len(bare)
