"""The sign-flip test of paired differences: exact p-values without random draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr

from rmeval.types import FloatArray, IntArray

__all__ = ["sign_flips"]

_STEPS = 2**34
"""Contributions are rounded to this part of the largest one, so that sums do not depend on the order of items."""
_FINEST = 2.0**-16
"""Smallest common unit of contributions that is looked for, as a part of the largest one."""
_FREQUENCIES = 2**15
"""Maximum number of frequencies in a series."""
_COSINES = 2**20
"""Maximum number of frequencies times sizes in a series for contributions without a common unit."""
_SUMS = 2**16
"""Maximum number of sums that are enumerated."""
_REACH = 8.5
"""Deviations beyond which the sum has a probability below 1e-15 (Hoeffding 1963, JASA 58:13, theorem 2)."""
_SHARE = 1e-3
"""Part of a deviation by which a sum without a common unit may be closer to 0 and still count as equally far."""
_EXTREME = 1e-10
"""P-values below this are approximated, as sums of probabilities have rounding errors of about 1e-16."""
_NEGLIGIBLE = 1e-14
_FEW = 1024
_BLOCK = 2**14


class _Sizes(NamedTuple):
    """Sizes of contributions, with the observed sum.

    Attributes:
        size: float64[k], distinct sizes above 0, in whole units; sorted by their number, then by size.
        times: int64[k], the number of contributions of each size.
        real: Distance of the observed sum from 0.
        common: Whether the unit divides all contributions exactly; else the sizes are rounded.
    """

    size: FloatArray
    times: IntArray
    real: float
    common: bool

    @property
    def deviation(self) -> float:
        """Return the standard deviation of the sum over all flips."""
        return float(np.sqrt((self.times * np.square(self.size)).sum()))


def sign_flips(columns: Iterable[FloatArray]) -> FloatArray:
    """Compute two-sided p-values of differences over all flips of the sign of each problem's contribution.

    If two models are equally good on every problem, each contribution to their difference has either sign with equal
    probability (Fisher's randomisation test for paired data; Good 2005, "Permutation, Parametric and Bootstrap Tests of
    Hypotheses", section 3.2). The p-value is the share of all flips whose sum is at least as far from 0 as the observed
    sum. It does not depend on the order of problems or models. Contributions are equal if they differ by rounding only.

    * If all contributions are multiples of one unit, the share is exact: the sum's distribution has the characteristic
      function product of cos(t d), which is inverted at the frequencies of the lattice. With contributions of one size
      the test is the binomial test.
    * Otherwise, with few distinct sums, all of them are enumerated.
    * Otherwise the inversion is a Fourier series of the distribution on a circle (Bohman 1970, BIT 10:237; Davies 1973,
      Biometrika 60:415). Since the ends of such a series are not sharp, sums that are closer to 0 than the observed sum
      by at most a thousandth of the sum's standard deviation count as well. This makes p-values larger: by less than 1%
      of p, if no single sum is a large part of p.
    * `_saddlepoint` approximates p-values below 1e-10.

    Args:
        columns: float64[clusters] each, every problem's contribution to a difference.

    Returns:
        float64[number of columns], rounded to twelve digits.
    """
    return np.array([float(f"{_p(column):.12g}") for column in columns])


def _p(column: FloatArray) -> float:
    found = _sizes(column)
    if found is None or not found.real:
        return 1.0
    if found.real > found.deviation * np.sqrt(-2 * np.log(_EXTREME / 2)):  # again by Hoeffding
        return _saddlepoint(found)
    if found.common and (found.real + _REACH * found.deviation) / 4 < _FREQUENCIES:
        p = _on_lattice(found)
    elif float(np.log(found.times + 1.0).sum()) < np.log(_SUMS):
        p = _enumerated(found)
    else:
        p = _on_circle(found)
    return p if p > _EXTREME else _saddlepoint(found)


def _sizes(column: FloatArray) -> _Sizes | None:
    """Return the distinct sizes of contributions in whole units; None if all are 0."""
    scale = float(np.abs(column).max(initial=0))
    if not scale:
        return None
    signed = column[np.abs(column) > scale / _STEPS] / scale
    steps, first, place = np.unique(np.rint(np.abs(signed) * _STEPS), return_index=True, return_inverse=True)
    unit = _unit(np.abs(signed[first]))
    size = steps if unit is None else np.rint(np.abs(signed[first]) / unit)
    plus, minus = (np.bincount(place[signed * sign > 0], minlength=len(size)) for sign in (1, -1))
    size, same = np.unique(size, return_inverse=True)
    net = np.bincount(same, plus - minus)
    times = np.bincount(same, plus + minus).astype(np.int64)
    order = np.lexsort((size, -times))
    return _Sizes(size[order], times[order], abs(float((net * size).sum())), unit is not None)


def _unit(size: FloatArray) -> float | None:
    """Return the largest unit that all sizes are multiples of, by Euclid's algorithm; None if there is none.

    Args:
        size: float64[k], the largest of which is 1.
    """
    rest = size
    while (unit := float(rest.min())) >= _FINEST:
        rest = np.abs(rest - unit * np.rint(rest / unit))
        rest = rest[rest > 1e-9]
        if not len(rest):
            multiple = np.rint(size / unit)
            unit = float((size * multiple).sum() / np.square(multiple).sum())
            return unit if float(np.abs(size - unit * multiple).max()) < 1e-10 else None
        rest = np.append(rest, unit)
    return None


def _characteristic(found: _Sizes, step: float, count: int) -> tuple[IntArray, FloatArray]:
    """Compute the characteristic function of the sum, the product of cos(t d) over all contributions d.

    Args:
        found: The sizes.
        step: Distance of the frequencies.
        count: Number of frequencies, of which the first is `step`.

    Returns:
        The numbers of the frequencies at which the product is not negligible, from 1 on, and the function there.
    """
    number = _lasting(found, step, count) + 1
    logs, signs = np.zeros(len(number)), np.ones(len(number))
    each = max(1, _BLOCK // max(1, len(number)))
    for start in range(0, len(found.size), each):
        times = found.times[start : start + each]
        angle = step * number[:, None] * found.size[start : start + each]
        # cos(t)^n loses digits for large n; log cos(t) = log(1 - sin(t)^2) / 2 does not.
        with np.errstate(divide="ignore"):
            logs += np.log1p(-np.square(np.sin(angle))) @ (times / 2)
        signs *= np.where(np.cos(angle[:, times % 2 == 1]) < 0, -1.0, 1.0).prod(axis=1)
    return number, signs * np.exp(logs)


def _lasting(found: _Sizes, step: float, count: int) -> IntArray:
    """Return the positions of frequencies at which no product of the first sizes' cosines is negligible.

    Single precision is enough for this, and faster.
    """
    size, times, start = found.size, found.times, 0
    product = np.ones(count, np.float32)
    alive = np.arange(count)
    while start < len(size) and len(alive) > _FEW:
        for one in range(start, min(start + 3, len(size))):
            product *= _power(_cosines(step * float(size[one]), count), int(times[one]))
        alive = np.flatnonzero(np.abs(product) > _NEGLIGIBLE)
        start += 3
    kept = product[alive]
    while start < len(size) and len(alive) * (len(size) - start) > _BLOCK:
        own = slice(start, start + max(1, _BLOCK // len(alive)))
        cosines = np.cos(step * (alive + 1)[:, None] * size[own])
        kept *= (cosines if times[start] == 1 else cosines ** times[own]).prod(axis=1)
        above = np.abs(kept) > _NEGLIGIBLE
        alive, kept, start = alive[above], kept[above], own.stop
    return alive


def _cosines(step: float, count: int) -> NDArray[np.float32]:
    """Compute cos(k step) for k from 1 to count, from those of coarse and fine steps."""
    fine = step * np.arange(1, 257)
    coarse = step * 256 * np.arange(-(-count // 256))
    found = np.outer(np.cos(coarse).astype(np.float32), np.cos(fine).astype(np.float32))
    found -= np.outer(np.sin(coarse).astype(np.float32), np.sin(fine).astype(np.float32))
    return found.ravel()[:count]


def _power(base: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Raise numbers to a power, by squaring, which is faster than `**`; `base` is overwritten."""
    found = base.copy() if times & 1 else np.ones_like(base)
    while times := times >> 1:
        np.square(base, out=base)
        if times & 1:
            found *= base
    return found


def _on_lattice(found: _Sizes) -> float:
    """Invert the characteristic function at the frequencies of the lattice of sums, two units apart."""
    real = found.real
    half = int((real + _REACH * found.deviation) / 4) + 1
    points = 2 * half + 1
    closer = int(real) - 1
    number, values = _characteristic(found, np.pi / points, half)
    # The remainder is exact, the product of large numbers with pi is not.
    kernel = np.sin(np.pi / points * (closer * number % (2 * points))) / np.sin(np.pi / points * number)
    return 1 - (closer + 2 * float(values @ kernel)) / points


def _on_circle(found: _Sizes) -> float:
    """Invert the characteristic function on a circle, with a filter that lets the series converge at its ends."""
    bound = max(0.0, found.real - _SHARE * found.deviation)
    around = found.real + _REACH * found.deviation
    count = int(np.clip(_COSINES // len(found.size), 2**8, _FREQUENCIES))
    number, values = _characteristic(found, 2 * np.pi / around, count)
    kernel = np.exp(-20 * (number / count) ** 4) * np.sin(2 * np.pi / around * bound * number) / number
    return 1 - 2 * bound / around - 2 / np.pi * float(values @ kernel)


def _enumerated(found: _Sizes) -> float:
    """Sum the probabilities of all distinct sums that are at least as far from 0 as the observed one."""
    sums, chance = np.zeros(1), np.ones(1)
    for size, times in zip(found.size.tolist(), found.times.tolist(), strict=True):
        plus = np.arange(times + 1)
        own = np.diff(bdtr(plus, times, 0.5), prepend=0)
        sums = (sums[:, None] + size * (2 * plus - times)).ravel()
        chance = (chance[:, None] * own).ravel()
    rounding = 0.0 if found.common else float(found.times.sum())
    return float(min(1.0, chance[np.abs(sums) >= found.real - rounding].sum()))


def _saddlepoint(found: _Sizes) -> float:
    """Approximate the small probability that the sum is as far from 0 as the observed one.

    This is Lugannani and Rice's saddlepoint approximation (1980, Adv. Appl. Prob. 12:475; for such tests Robinson 1982,
    JRSS-B 44:91) with the cumulant generating function sum log cosh(t d) of the flips, and on a lattice Daniels' second
    correction for continuity (1987, Int. Stat. Rev. 55:37).
    """
    size, times, real = found.size, found.times, found.real
    if real >= float((times * size).sum()):
        return float(2.0 ** (1 - int(times.sum())))
    half = 1.0 if found.common else 0.0
    bound = real - half

    def slope(point: float) -> float:
        return float((times * size * np.tanh(point * size)).sum())

    low, high = 0.0, 1.0 / float(size.max())
    while slope(high) < bound:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < bound else (low, middle)
    point = (low + high) / 2
    # log cosh x = x + log(1 + exp(-2x)) - log 2, which never overflows.
    cumulant = float((times * (point * size + np.log1p(np.exp(-2 * point * size)) - np.log(2))).sum())
    curvature = float((times * np.square(size) * (1 - np.square(np.tanh(point * size)))).sum())
    step = np.sinh(point * half) / half if half else point
    r, u = np.sqrt(2 * (point * bound - cumulant)), step * np.sqrt(curvature)
    return float(2 * (ndtr(-r) + np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi) * (1 / u - 1 / r)))
