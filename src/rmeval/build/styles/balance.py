"""Balance: in each style, chosen and rejected texts of a domain have the same length and markdown.

Equal means are not enough: if each chosen text is one word longer, a model that prefers the longer text is always
right. So the longer text, and the one with more markdown, is the chosen one in about half of the comparisons too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmeval.build.styles.draft import SIDES, Texts
from rmeval.build.styles.options import StyleOptions
from rmeval.build.styles.rules import measure
from rmeval.types import STYLES

__all__ = ["balance_facts", "balanced"]

Array = NDArray[np.float64]
Excess = Callable[[Array, int], Array]
"""By how much totals of a number of problems exceed the tolerance; 0 within it."""
_MEANS = ("words", "markdown")
_SIGNS = ("characters", "markdown")
"""What the null baselines score."""
_SHAPE = (len(STYLES), len(_MEANS), len(SIDES))
_SIZE = len(STYLES) * len(_MEANS) * len(SIDES)
_SWEEPS = 3
_SMALL = 0.5
"""A difference of half a word, or of half a markdown element, is none."""


def balanced(choices: Mapping[str, Sequence[Texts]], options: StyleOptions) -> dict[str, Texts]:
    """Choose the texts of each problem, and leave problems out, until all differences are within the tolerance.

    Both steps are greedy and depend on nothing but the texts: each problem takes the choice that leaves the smallest
    excess over the tolerance, then the problem without which it is smallest is left out. If the tolerance cannot be
    reached within `max_dropped`, the means alone are balanced; if that is impossible too, no problem is left out.

    Args:
        choices: The ways to choose, by the problem's key, the best first.
        options: The tolerance.

    Returns:
        The texts of the problems that are kept.
    """
    keys = sorted(choices)
    if not keys:
        return {}

    def both(totals: Array, count: int) -> Array:
        return _unequal_means(totals, count, options.balance) + _one_sided(totals, count, options.balance)

    def means(totals: Array, count: int) -> Array:
        return _unequal_means(totals, count, options.balance)

    sizes = {key: np.array([_sizes(texts) for texts in choices[key]]) for key in keys}
    taken = _chosen(keys, sizes, both)
    own = np.array([sizes[key][taken[key]] for key in keys])
    most = int(options.max_dropped * len(keys))
    kept = _kept(own, most, both)
    if kept is None:
        kept = _kept(own, most, means)
    places = range(len(keys)) if kept is None else kept
    return {keys[place]: choices[keys[place]][taken[keys[place]]] for place in places}


def _sizes(texts: Texts) -> Array:
    """Words and markdown by style and side, and in how many styles the chosen text has more characters and markdown."""
    own = {slot: measure(one.text) for slot, one in texts.items()}
    means = [getattr(own[side, style], name) for style in STYLES for name in _MEANS for side in SIDES]
    signs = [
        sum(np.sign(getattr(own["chosen", style], name) - getattr(own["rejected", style], name)) for style in STYLES)
        for name in _SIGNS
    ]
    return np.array([*means, *signs], dtype=np.float64)


def _unequal_means(totals: Array, count: int, tolerance: float) -> Array:
    """By how much the means of the sides differ, over the tolerance."""
    sides = totals[..., :_SIZE].reshape(*totals.shape[:-1], *_SHAPE)
    larger, differences = sides.max(axis=-1), np.abs(sides[..., 0] - sides[..., 1])
    shares = np.where(differences > _SMALL * count, differences / np.where(larger > 0, larger, 1.0), 0.0)
    # Rounding must not decide whether a difference that equals the tolerance is within it.
    found: Array = np.maximum(shares - tolerance - 1e-9, 0.0).sum(axis=(-1, -2))
    return found


def _one_sided(totals: Array, count: int, tolerance: float) -> Array:
    """By how much more often one side has the larger text, over the tolerance, or over what chance does."""
    shares = np.abs(totals[..., _SIZE:]) / (len(STYLES) * max(1, count))
    found: Array = np.maximum(shares - max(tolerance, 1 / sqrt(max(1, count))) - 1e-9, 0.0).sum(axis=-1)
    return found


def _chosen(keys: Sequence[str], sizes: Mapping[str, Array], excess: Excess) -> dict[str, int]:
    """The number of the choice of each problem."""
    taken = dict.fromkeys(keys, 0)
    totals = np.sum([sizes[key][0] for key in keys], axis=0)
    for _ in range(_SWEEPS):
        before = dict(taken)
        for key in keys:
            rest = totals - sizes[key][taken[key]]
            taken[key] = int(np.argmin(excess(rest + sizes[key], len(keys))))
            totals = rest + sizes[key][taken[key]]
        if taken == before:
            break
    return taken


def _kept(sizes: Array, most: int, excess: Excess) -> list[int] | None:
    """The problems that are kept; None if the tolerance needs that more than `most` are left out."""
    kept = list(range(len(sizes)))
    totals = sizes.sum(axis=0)
    for _ in range(most + 1):
        if not excess(totals, len(kept)):
            return kept
        if len(kept) == 1:
            return None
        least = int(np.argmin(excess(totals - sizes[kept], len(kept) - 1)))
        totals = totals - sizes[kept[least]]
        del kept[least]
    return None


def balance_facts(texts: Sequence[Texts], options: StyleOptions) -> dict[str, Any]:
    """The means of both sides in each style, how often chosen is larger, and whether all is within the tolerance.

    Args:
        texts: The texts of the problems that are kept.
        options: The tolerance.
    """
    if not texts:
        return {"problems": 0, "tolerance": options.balance, "within": True, "larger": {}, "styles": {}}
    styles = {
        style: {
            side: {
                name: round(float(np.mean([getattr(measure(one[side, style].text), name) for one in texts])), 2)
                for name in ("words", "characters", "markdown")
            }
            for side in SIDES
        }
        for style in STYLES
    }
    count, totals = len(texts), np.sum([_sizes(one) for one in texts], axis=0)
    excess = _unequal_means(totals, count, options.balance) + _one_sided(totals, count, options.balance)
    larger = (totals[_SIZE:] / (len(STYLES) * count) + 1) / 2
    return {
        "problems": count,
        "tolerance": options.balance,
        "within": not excess,
        "larger": {name: round(float(share), 4) for name, share in zip(_SIGNS, larger, strict=True)},
        "styles": styles,
    }
