"""The rewritings of one problem so far, and the ways to choose one of each style and side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from math import sqrt

from rmeval.build.records import Candidate, Record, Side
from rmeval.build.rounds import Failed
from rmeval.build.styles.options import StyleOptions
from rmeval.build.styles.rules import difference, is_alike, is_concise, measure
from rmeval.types import STYLES

__all__ = ["SIDES", "SLOTS", "Draft", "Slot", "Texts"]

Slot = tuple[Side, str]
"""A side and a style."""
Texts = Mapping[Slot, Candidate]
"""One text of each slot."""
SIDES: tuple[Side, ...] = ("chosen", "rejected")
SLOTS: tuple[Slot, ...] = tuple((side, style) for style in STYLES for side in SIDES)
CONCISE, PLAIN, MARKDOWN = STYLES
Pair = tuple[Candidate, Candidate]
"""A chosen and a rejected text of one style."""
_PAIRS, _MOST = 8, 16
"""Number of pairs of each style that are combined, and of ways to choose among which the balance decides."""


@dataclass
class Draft:
    """Verified rewritings of a chosen and a rejected response of a problem.

    Attributes:
        record: The record with its responses.
        bases: The response of each side that is rewritten.
        longer: The side whose text should be longer, by style.
        found: The rewritings in style that are verified, by slot.
        failed: The last failure of each slot that had one.
    """

    record: Record
    bases: Mapping[Side, Candidate]
    longer: Mapping[str, Side]
    found: dict[Slot, list[Candidate]] = field(default_factory=lambda: {slot: [] for slot in SLOTS})
    failed: dict[Slot, Failed] = field(default_factory=dict)

    def words(self, slot: Slot, options: StyleOptions) -> int:
        """The number of words that a rewriting should have: near the other side's text, or a share of the bases'."""
        side, style = slot
        factor = 1 + options.spread if self.longer[style] == side else 1 / (1 + options.spread)
        if other := self.found["rejected" if side == "chosen" else "chosen", style]:
            return round(measure(other[-1].text).words * factor)
        mean = sum(measure(one.text).words for one in self.bases.values()) / len(self.bases)
        # Each side takes half of the spread.
        return max(8, round(mean * (options.concise if style == CONCISE else options.detailed) * sqrt(factor)))

    def needed(self, options: StyleOptions) -> list[Slot]:
        """The slots that need a further rewriting."""
        missing = [slot for slot in SLOTS if len(self.found[slot]) < options.variants]
        if missing or self.choices(options):
            return missing
        unlike = [style for style in STYLES if not self._pairs(style, options)]
        return [slot for slot in SLOTS if slot[1] in (unlike or [CONCISE])]

    def choices(self, options: StyleOptions) -> list[Texts]:
        """The ways to choose one text of each slot that follow the rules, those of most similar length first."""
        pairs = [self._pairs(style, options)[:_PAIRS] for style in STYLES]
        ways = [way for way in product(*pairs) if _is_graded(dict(zip(STYLES, way, strict=True)), options)]
        ways.sort(key=lambda way: sum(_unlike(pair) for pair in way))
        return [{slot: way[STYLES.index(slot[1])][SIDES.index(slot[0])] for slot in SLOTS} for way in ways[:_MOST]]

    def _pairs(self, style: str, options: StyleOptions) -> list[Pair]:
        """The pairs of similar length in a style, the most similar first."""
        pairs = [
            (one, other)
            for one in self.found["chosen", style]
            for other in self.found["rejected", style]
            if is_alike(one.text, other.text, options)
        ]
        return sorted(pairs, key=_unlike)

    def why(self, options: StyleOptions) -> Failed:
        """Why there is no way to choose."""
        for slot in SLOTS:
            if not self.found[slot]:
                side, style = slot
                reason = f"no {style.replace('_', ' ')} text of the {side} response"
                return Failed(reason, str(self.failed.get(slot, "")))
        for style in STYLES:
            if not self._pairs(style, options):
                sizes = [[measure(one.text).words for one in self.found[side, style]] for side in SIDES]
                reason = f"{style.replace('_', ' ')} texts of the two sides differ in length"
                return Failed(reason, f"words of chosen {sizes[0]}, rejected {sizes[1]}")
        return Failed("a concise text is not shorter than a detailed one")


def _unlike(pair: Pair) -> float:
    """The difference in words between a chosen and a rejected text, as a share of the longer."""
    return difference(*(measure(one.text).words for one in pair))


def _is_graded(pairs: Mapping[str, Pair], options: StyleOptions) -> bool:
    """Whether the concise text of each side is shorter than its detailed ones."""
    return all(
        is_concise(concise.text, detailed.text, options)
        for style in (PLAIN, MARKDOWN)
        for concise, detailed in zip(pairs[CONCISE], pairs[style], strict=True)
    )
