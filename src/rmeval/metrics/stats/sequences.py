"""Anytime-valid sequences: intervals and tests that hold at every look, so that a run may stop at any of them.

All are capitals of bets (Waudby-Smith and Ramdas 2024, JRSS-B 86:1; Shafer 2021, JRSS-A 184:407): under the hypothesis
that is bet against, a capital is a nonnegative martingale that starts at 1, so that it ever exceeds 1 / level with a
probability of at most the level (Ville 1939).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray, IntArray

__all__ = ["FIRST", "difference_bounds", "lead_p_values", "look_after", "looks", "problems_needed", "sum_bounds"]

FIRST = 20
"""Number of problems at the first look."""
_GROWTH = 1.1
"""Factor from one look to the next, so that a run scores at most about a tenth more than a decision needs."""
_MANY = 1000
_GROWTH_OF_MANY = 1.25
"""The factor from `_MANY` problems on, where a look takes longer."""
_NEAR, _STEP = 0.9, 1.03
"""The part of the estimated number of problems at which looks become frequent, and the factor between those."""
_STAKE = 0.95
"""Largest share of the capital that a player can lose on one problem."""
_HALVINGS = 24
"""Steps of a search, which leave less than a millionth of the range."""


def looks(problems: int) -> list[int]:
    """Return the numbers of problems at which a sequence is looked at: 20, 22, 25, 28, ..., and all of them."""
    found: list[int] = []
    count = FIRST
    while count < problems:
        found.append(count)
        count = math.ceil(count * (_GROWTH if count < _MANY else _GROWTH_OF_MANY))
    return [*found, problems]


def look_after(done: int, needed: int, problems: int) -> int:
    """Return the next look at an interval: nearly straight to the estimated number of problems, then in small steps.

    Args:
        done: Number of problems at this look; 0 before the first one.
        needed: Estimate of `problems_needed` at this look.
        problems: Number of all problems.
    """
    near = math.ceil(_NEAR * needed)
    found = near if done < near else max(needed, math.ceil(_STEP * done))
    return min(problems, max(FIRST, found))


def sum_bounds(credit: FloatArray, weights: FloatArray, width: float, level: float = LEVEL) -> tuple[float, float]:
    """Bound `weights @ credit` over a finite population, some members of which are drawn at random, at any time.

    This is a confidence sequence by betting without replacement (Waudby-Smith and Ramdas 2024, sections 4.2 and 5): for
    each value m of the sum, one player bets on each draw that the sum is above m, and another that it is below. The
    interval has every m for which neither capital has ever exceeded 2 / level. With all members drawn, it is the sum.

    With n members left, of which one with weight w and credit c is drawn, the bet is on n w (c - g), where g is the
    mean credit of the earlier draws. Its mean is the rest of the sum minus what the rest would be with credit g. Equal
    credits give no variance this way, however unequal the weights are. The stakes are Kelly's (1956, Bell System
    Technical Journal 35:917) for an m that is half of `width` away from the sum, given the variance of the earlier
    draws: the interval is narrowest near the width at which the draws end.

    Args:
        credit: float64[n], the credits of the members drawn so far in the order of the draws, between 0 and 1.
        weights: float64[N], the weights of all members, positive; those drawn first, in their order.
        width: Width of the interval at which the draws end.
        level: Probability that the interval ever misses the sum.

    Returns:
        The lower and the upper bound.
    """
    drawn, members = len(credit), len(weights)
    own = weights[:drawn]
    known, rest = float(own @ credit), float(weights[drawn:].sum())
    if drawn in (0, members):
        return known, known + rest
    mean = float(weights.mean())
    before, left = _earlier(own * credit), float(weights.sum()) - _earlier(own)
    guess = (before + mean / 2) / (_earlier(own) + mean)
    residual = own * (credit - guess)
    count = members - np.arange(drawn)
    # The first variance is that of a fair coin with the mean weight.
    variance = ((members * mean / 2) ** 2 + _earlier((members * residual) ** 2)) / (1 + np.arange(drawn))
    stake = (width / 2) / (variance * (count / members) ** 2 + (width / 2) ** 2)
    largest = count * np.maximum.accumulate(weights[::-1])[::-1][:drawn]
    excess, base = count * residual, before + guess * left

    def rejected(total: float, side: int) -> bool:
        """Return whether a capital of bets on a sum above (1) or below (-1) the total has ever exceeded the limit."""
        most = largest * (guess if side > 0 else 1 - guess) + side * (total - base)
        share = np.minimum(stake, _STAKE / np.maximum(most, 1e-300))
        gains = np.log1p(side * share * (excess - (total - base)))
        return bool(gains.cumsum().max() > math.log(2 / level))

    low = _edge(lambda total: rejected(total, 1), known, known + rest)
    high = _edge(lambda total: rejected(total, -1), known + rest, known)
    return low, high


def problems_needed(credit: FloatArray, weights: FloatArray, width: float, level: float = LEVEL) -> int:
    """Estimate after how many draws the interval of `sum_bounds` has a width, from the variance of the first draws.

    With stakes of Kelly's, the capital against a value that is h away from the sum grows in n draws of N, with a
    variance v, to about exp(h^2 / (2 v (1 / n - 1 / N))).

    Args:
        credit: As for `sum_bounds`.
        weights: As for `sum_bounds`.
        width: As for `sum_bounds`.
        level: As for `sum_bounds`.
    """
    members, own = len(weights), weights[: len(credit)]
    residual = members * own * (credit - own @ credit / own.sum())
    variance = (float(residual @ residual) + (float(weights.sum()) / 2) ** 2) / (len(credit) + 1)
    return math.ceil(members / (1 + members * (width / 2) ** 2 / (2 * variance * math.log(2 / level))))


def lead_p_values(difference: FloatArray, most: float, problems: int, ends: IntArray) -> tuple[FloatArray, FloatArray]:
    """Compute p-values that hold at every look, of the hypotheses that the mean of differences is at most, at least 0.

    A capital is the mean of the products of 1 + s d over a grid of stakes s, a discrete mixture as in Howard, Ramdas,
    McAuliffe and Sekhon 2021 (Annals of Statistics 49:1055, section 3.3) and Cover's universal portfolio (1991,
    Mathematical Finance 1:1). At each look it depends on the set of differences, and not on their order. A p-value is
    twice the inverse of the largest capital so far, so that both together are wrong with a probability of at most the
    level.

    Fixed stakes make the test valid where models differ in kinds of problems that cancel out in the mean: the expected
    capital after independent differences is the product of 1 + s E(d), which is at most exp(s sum E(d)).

    Args:
        difference: float64[n], differences of problems in a random order.
        most: The largest absolute value that a difference can have.
        problems: Number of problems at which the sequence ends at the latest; it determines the smallest stake.
        ends: int64[looks], the number of differences at each look, increasing.

    Returns:
        Two float64[looks]: small ones of the first show that the mean is above 0, of the second that it is below.
    """
    return _p_values(difference, most, problems, ends), _p_values(-difference, most, problems, ends)


def _p_values(difference: FloatArray, most: float, problems: int, ends: IntArray) -> FloatArray:
    capital = _mixture(difference, _shares(most, problems) / most, ends)
    p: FloatArray = np.minimum(1.0, 2 * np.exp(-np.maximum.accumulate(capital)))
    return p


def difference_bounds(
    difference: FloatArray, most: float, problems: int, ends: IntArray, level: float = LEVEL
) -> tuple[float, float]:
    """Bound the mean of differences at any time, by the test of `lead_p_values` for each value of the mean.

    Args:
        difference: As for `lead_p_values`.
        most: As for `lead_p_values`.
        problems: As for `lead_p_values`.
        ends: As for `lead_p_values`.
        level: Probability that the interval ever misses the mean.

    Returns:
        The lower and the upper bound; 0 is outside exactly if one of the p-values is below the level.
    """
    limit, shares = math.log(2 / level), _shares(most, problems)

    def rejected(mean: float, side: int) -> bool:
        capital = _mixture(side * (difference - mean), shares / (most + abs(mean)), ends)
        return bool(capital.max() > limit)

    low = _edge(lambda mean: rejected(mean, 1), -most, most)
    high = _edge(lambda mean: rejected(mean, -1), most, -most)
    return low, high


def _mixture(difference: FloatArray, stakes: FloatArray, ends: IntArray) -> FloatArray:
    """Compute the logarithm of the mean capital over the stakes at each look, float64[looks]."""
    starts = np.concatenate([[0], ends[:-1]])
    logs = [np.add.reduceat(np.log1p(stake * difference[: ends[-1]]), starts).cumsum() for stake in stakes.tolist()]
    found: FloatArray = np.logaddexp.reduce(logs, axis=0) - math.log(len(logs))
    return found


def _shares(most: float, problems: int) -> FloatArray:
    """Return the shares of the capital at stake, down to Kelly's for the smallest mean that all problems can show.

    Neighbours differ by a factor of sqrt(2), so that the best share of all is near one of them.
    """
    steps = max(0, math.ceil(2 * math.log2(_STAKE * math.sqrt(problems) / (2 * most))))
    found: FloatArray = _STAKE * 2.0 ** (-np.arange(steps + 1) / 2)
    return found


def _earlier(values: FloatArray) -> FloatArray:
    """Return the sum of the values before each one."""
    found: FloatArray = np.cumsum(values) - values
    return found


def _edge(rejected: Callable[[float], bool], out: float, inside: float) -> float:
    """Return where rejection ends between `out`, where it may hold, and `inside`, on the side of `out`."""
    if not rejected(out):
        return out
    for _ in range(_HALVINGS):
        middle = (out + inside) / 2
        out, inside = (middle, inside) if rejected(middle) else (out, middle)
    return out
