"""Balance: in each style, chosen and rejected texts of a domain have the same length and markdown on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmeval.build.styles.draft import SIDES, Texts
from rmeval.build.styles.options import StyleOptions
from rmeval.build.styles.rules import measure
from rmeval.types import STYLES

__all__ = ["balance_facts", "balanced"]

Array = NDArray[np.float64]
MEASURES = ("words", "markdown")
_SWEEPS = 3
_SMALL = 0.5
"""A difference of half a word, or of half a markdown element, is none."""


def balanced(choices: Mapping[str, Sequence[Texts]], options: StyleOptions) -> dict[str, Texts]:
    """Choose the texts of each problem, and leave problems out, until all differences are within the tolerance.

    Both steps are greedy and depend on nothing but the texts: each problem takes the choice that leaves the smallest
    excess over the tolerance, then the problem without which it is smallest is left out. If the tolerance cannot be
    reached within `max_dropped`, no problem is left out.

    Args:
        choices: The ways to choose, by the problem's key, the best first.
        options: The tolerance.

    Returns:
        The texts of the problems that are kept.
    """
    keys = sorted(choices)
    if not keys:
        return {}
    sizes = {key: np.array([_sizes(texts) for texts in choices[key]]) for key in keys}
    taken = _chosen(keys, sizes, options.balance)
    kept = _kept(np.array([sizes[key][taken[key]] for key in keys]), options)
    return {key: choices[key][taken[key]] for place, key in enumerate(keys) if place in kept}


def _sizes(texts: Texts) -> Array:
    """Words and markdown by style and side."""
    return np.array(
        [
            [[getattr(measure(texts[side, style].text), name) for side in SIDES] for name in MEASURES]
            for style in STYLES
        ],
        dtype=np.float64,
    )


def _excess(totals: Array, count: int, tolerance: float) -> Array:
    """The sum of all differences over the tolerance, for totals of some problems by style, measure and side."""
    larger, differences = totals.max(axis=-1), np.abs(totals[..., 0] - totals[..., 1])
    shares = np.where(differences > _SMALL * count, differences / np.where(larger > 0, larger, 1.0), 0.0)
    # Rounding must not decide whether a difference that equals the tolerance is within it.
    found: Array = np.maximum(shares - tolerance - 1e-9, 0.0).sum(axis=(-1, -2))
    return found


def _chosen(keys: Sequence[str], sizes: Mapping[str, Array], tolerance: float) -> dict[str, int]:
    """The number of the choice of each problem."""
    taken = dict.fromkeys(keys, 0)
    totals = np.sum([sizes[key][0] for key in keys], axis=0)
    for _ in range(_SWEEPS):
        before = dict(taken)
        for key in keys:
            rest = totals - sizes[key][taken[key]]
            taken[key] = int(np.argmin(_excess(rest + sizes[key], len(keys), tolerance)))
            totals = rest + sizes[key][taken[key]]
        if taken == before:
            break
    return taken


def _kept(sizes: Array, options: StyleOptions) -> set[int]:
    """The problems that are kept."""
    kept = list(range(len(sizes)))
    most = int(options.max_dropped * len(sizes))
    totals = sizes.sum(axis=0)
    for _ in range(most + 1):
        if not _excess(totals, len(kept), options.balance):
            return set(kept)
        least = int(np.argmin(_excess(totals - sizes[kept], len(kept) - 1, options.balance)))
        totals = totals - sizes[kept[least]]
        del kept[least]
    return set(range(len(sizes)))


def balance_facts(texts: Sequence[Texts], options: StyleOptions) -> dict[str, Any]:
    """The means of both sides in each style, and whether they are within the tolerance.

    Args:
        texts: The texts of the problems that are kept.
        options: The tolerance.
    """
    styles = {
        style: {
            side: {
                name: round(float(np.mean([getattr(measure(one[side, style].text), name) for one in texts])), 2)
                for name in ("words", "characters", "markdown")
            }
            for side in SIDES
        }
        for style in (STYLES if texts else ())
    }
    within = not texts or not _excess(np.sum([_sizes(one) for one in texts], axis=0), len(texts), options.balance)
    return {"problems": len(texts), "tolerance": options.balance, "within": bool(within), "styles": styles}
