"""Near-duplicates by MinHash (Broder 1997): candidates share a band of their signatures, and are then compared exactly.

Errors are one-sided: a text is never left out unless its Jaccard index reaches the threshold; one above it is missed
with a small probability, which the bands make smaller the more two texts have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rmeval.build.problems.words import sequences, words

if TYPE_CHECKING:
    from datasketch import MinHash

__all__ = ["NearIndex", "Signed", "jaccard"]

_WORDS = 3
_PERMUTATIONS = 128
_MARGIN = 0.85
"""Part of the threshold for which the bands are made, so that texts just above it are seldom missed."""


def jaccard(one: Set[str], other: Set[str]) -> float:
    """The share of elements in common."""
    return len(one & other) / len(one | other) if one or other else 1.0


@dataclass(frozen=True, slots=True)
class Signed:
    """A text as near-duplicates are found.

    Attributes:
        words: Its words.
        sequences: Its sequences of three words.
        signature: Their signature.
    """

    words: list[str]
    sequences: Set[str]
    signature: MinHash

    @classmethod
    def of(cls, text: str) -> Signed:
        """The words, sequences and signature of a text."""
        own = words(text)
        found = sequences(own, _WORDS)
        signature = _blank().copy()
        signature.update_batch([one.encode("utf-8", "surrogatepass") for one in found])
        return cls(own, found, signature)


@cache
def _blank() -> MinHash:
    """A signature that shares its permutations with all others, since they take longer to make than a signature."""
    from datasketch import MinHash  # It takes more than a second, which a build that continues need not wait.

    return MinHash(num_perm=_PERMUTATIONS, seed=1)


class NearIndex:
    """Texts by name, in which near-duplicates are found.

    Attributes:
        threshold: Jaccard index from which two texts are near-duplicates.
    """

    def __init__(self, threshold: float) -> None:
        """Start without texts."""
        from datasketch import MinHashLSH

        self.threshold = threshold
        self._index = MinHashLSH(threshold=threshold * _MARGIN, num_perm=_PERMUTATIONS, weights=(0.2, 0.8))
        self._sets: dict[str, Set[str]] = {}

    def add(self, name: str, text: Signed) -> None:
        """Add a text under a name that is new; one without words is near to none."""
        if text.sequences:
            self._index.insert(name, text.signature)
            self._sets[name] = text.sequences

    def nearest(self, text: Signed, counts: Callable[[str], bool] = lambda name: True) -> tuple[str, float] | None:
        """Return the most similar text's name and index.

        Args:
            text: A text.
            counts: Which names may be returned.

        Returns:
            The name, of equally similar ones the first in order, and the index; None below the threshold.
        """
        near = [
            (-index, name)
            for name in self._index.query(text.signature)
            if (index := jaccard(self._sets[name], text.sequences)) >= self.threshold and counts(name)
        ]
        return (min(near)[1], -min(near)[0]) if near else None
