"""Correlations of few models, pooled over several pairs of columns, and permutation tests of them.

A pair has a column of scores and a column of results, with a value of each model. Columns are standardised within
their pair, and the points of all pairs form one correlation. The points of a model belong together, so that tests
permute models, and never points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from rmeval.metrics.stats.correlation import kendall, pearson, ranks, spearman
from rmeval.types import FloatArray, IntArray

__all__ = [
    "DRAWN",
    "ENUMERATED",
    "METHODS",
    "SEED",
    "Pairs",
    "PermutationTest",
    "all_permutations",
    "exchange_test",
    "permutation_test",
    "standardized",
]

METHODS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
}
"""The correlations."""
ENUMERATED = 8
"""Most models whose permutations are all computed: 40,320."""
DRAWN = 9_999
"""Number of random permutations for more models."""
SEED = 0
_TOLERANCE = 1e-10
"""Correlations that differ by less are equal: they are sums of the same terms in another order."""
_CELLS = 4_000_000
"""Number of values that a block of permutations or resamples takes at most."""


def standardized(values: FloatArray) -> FloatArray:
    """Return values with mean 0 and standard deviation 1 along the last axis; NaN for a constant column."""
    apart = values - values.mean(axis=-1, keepdims=True)
    size = np.abs(values).max(axis=-1, keepdims=True)
    # Rounding of the mean must not make a constant column vary.
    varies = np.abs(apart).max(axis=-1, keepdims=True) > 1e-13 * size
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.where(varies, apart / np.sqrt(np.square(apart).mean(axis=-1, keepdims=True)), np.nan)
    return found


@dataclass(frozen=True)
class Pairs:
    """Pairs of columns over the same models.

    Attributes:
        scores: float64[pairs, models], without NaN.
        results: float64[pairs, models], without NaN.
        both: Whether results are standardised within their pair, as scores are.
    """

    scores: FloatArray
    results: FloatArray
    both: bool = True

    @property
    def models(self) -> int:
        """The number of models."""
        return int(self.scores.shape[-1])

    @property
    def points(self) -> tuple[FloatArray, FloatArray]:
        """Scores and results as they are correlated, each float64[pairs, models]."""
        return standardized(self.scores), standardized(self.results) if self.both else self.results

    def take(self, models: IntArray) -> Pairs:
        """Return the pairs with these models only, in this order; a model may occur several times."""
        return Pairs(self.scores[:, models], self.results[:, models], self.both)

    def correlation(self, method: str) -> float:
        """Return the correlation of all points; NaN if a column is constant."""
        return float(self.correlations(method, np.arange(self.models)[None, :])[0])

    def correlations(self, method: str, chosen: IntArray) -> FloatArray:
        """Return the correlation of each of several choices of models.

        Args:
            method: A key of `METHODS`.
            chosen: int[choices, k], the models of each choice.

        Returns:
            float64[choices]: NaN where a column is constant.
        """
        found = np.empty(len(chosen))
        points = self.scores.shape[0] * chosen.shape[1]
        block = max(1, _CELLS // (points if method == "pearson" else points**2))
        for start in range(0, len(chosen), block):
            # float64[choices, pairs, k]
            scores, results = (
                np.moveaxis(values[:, chosen[start : start + block]], 0, 1) for values in (self.scores, self.results)
            )
            scores, results = standardized(scores), standardized(results) if self.both else results
            flat = [values.reshape(len(values), -1) for values in (scores, results)]
            known = np.asarray(~np.isnan(np.concatenate(flat, axis=1)).any(axis=1))
            own = METHODS[method](*(np.where(known[:, None], values, 0.0) for values in flat))
            found[start : start + block] = np.where(known, own, np.nan)
        return found


@dataclass(frozen=True)
class PermutationTest:
    """A permutation test of a correlation.

    Attributes:
        p: The two-sided p-value.
        least: The smallest p-value that is possible with these numbers.
        permutations: The number of permutations of which p is a share.
        exact: Whether these are all permutations; otherwise they are drawn at random.
    """

    p: float
    least: float
    permutations: int
    exact: bool


def permutation_test(method: str, pairs: Pairs) -> PermutationTest:
    """Test whether scores and results are unrelated, by permuting models in all pairs of columns at once.

    Each permutation assigns the results of one model, in all pairs, to the scores of another one (Pitman 1937, Suppl.
    JRSS 4:225; Good 2005, Permutation, Parametric and Bootstrap Tests, section 3.3, for exchangeable units with several
    values). p is the share of permutations with an absolute correlation of at least the observed one. Up to
    `ENUMERATED` models, these are all n! permutations; otherwise `DRAWN` random ones with a fixed seed, and p is
    (b + 1) / (m + 1), which is never 0 (Phipson and Smyth 2010, SAGMB 9:39).

    Returns:
        The test; p is NaN if a column is constant.
    """
    observed = pairs.correlation(method)
    exact = pairs.models <= ENUMERATED
    if math.isnan(observed):
        return PermutationTest(math.nan, math.nan, 0, exact)
    permutations = all_permutations(pairs.models) if exact else _drawn_permutations(pairs.models)
    found = np.abs(np.concatenate(list(_under(method, pairs, permutations))))
    reached = int((found >= abs(observed) - _TOLERANCE).sum())
    if not exact:
        return PermutationTest((reached + 1) / (len(found) + 1), 1 / (len(found) + 1), len(found), exact)
    most = int((found >= found.max() - _TOLERANCE).sum())
    return PermutationTest(reached / len(found), most / len(found), len(found), exact)


@cache
def all_permutations(models: int) -> IntArray:
    """Return all permutations, int64[n!, n]."""
    return np.array(list(itertools.permutations(range(models))), np.int64)


@cache
def _drawn_permutations(models: int) -> IntArray:
    random = np.random.default_rng(SEED)
    return random.permuted(np.tile(np.arange(models, dtype=np.int64), (DRAWN, 1)), axis=1)


def _under(method: str, pairs: Pairs, permutations: IntArray) -> Iterator[FloatArray]:
    """Yield the correlations of blocks of permutations of the results; those of permuted points have equal parts."""
    scores, results = pairs.points
    if method == "kendall":
        yield from _kendall_under(scores, results, permutations)
        return
    if method == "spearman":
        scores, results = (ranks(values.ravel()).reshape(values.shape) for values in (scores, results))
    scores, results = scores - scores.mean(), results - results.mean()
    products = scores.T @ results / math.sqrt(float(np.square(scores).sum() * np.square(results).sum()))
    models = np.arange(pairs.models)
    block = max(1, _CELLS // pairs.models)
    for start in range(0, len(permutations), block):
        yield products[models, permutations[start : start + block]].sum(axis=1)


def _kendall_under(scores: FloatArray, results: FloatArray, permutations: IntArray) -> Iterator[FloatArray]:
    # Distinct values as 0, 1, 2, ..., so that the sign of a difference is the difference limited to -1 and 1. Sums of
    # signs are exact in float32 up to 2^24.
    x, y = (np.unique(own, return_inverse=True)[1].reshape(own.shape).astype(np.float32) for own in (scores, results))
    first, second = (np.sign(own.reshape(-1, 1) - own.reshape(1, -1)) for own in (x, y))
    size = math.sqrt(float(np.abs(first).sum(dtype=np.float64) * np.abs(second).sum(dtype=np.float64)))
    block = max(1, _CELLS // x.size)
    for start in range(0, len(permutations), block):
        # float32[points, permutations]
        permuted = y[:, permutations[start : start + block].T].reshape(x.size, -1)
        total = np.zeros(permuted.shape[1])
        for place in range(x.size - 1):
            total += first[place, place + 1 :] @ np.clip(permuted[place] - permuted[place + 1 :], -1, 1)
        yield 2 * total / size


def exchange_test(method: str, first: Pairs, second: Pairs) -> PermutationTest:
    """Test whether two kinds of scores have equal correlations with the same results, by exchanging them in models.

    If it does not matter which of the two standardised scores of a model belongs to which kind, then exchanging them in
    any of the models leaves the distribution of the difference as it is (Good 2005, section 3.2, paired data). Scores
    are standardised over these models, or ranked for rank correlations, before they are exchanged, so that the level is
    approximate; `scripts/simulations/correlation.py` measures it. With up to 13 models, all 2^n exchanges are computed,
    otherwise `DRAWN` random ones.

    Args:
        method: A key of `METHODS`.
        first: The pairs with the first scores.
        second: The pairs with the second scores, of the same models and with the same results.

    Returns:
        The test; p is NaN if a column is constant.
    """
    columns = [first.points[0], second.points[0], first.points[1]]
    exact = 2**first.models <= DRAWN + 1
    if any(np.isnan(values).any() for values in columns):
        return PermutationTest(math.nan, math.nan, 0, exact)
    if method != "pearson":
        columns = [ranks(values.ravel()).reshape(values.shape) for values in columns]
    one, other, results = columns
    found = np.concatenate([*_exchanged(method, one, other, results, _exchanges(first.models, exact))])
    observed = abs(found[0])
    found = np.abs(found if exact else found[1:])
    reached = int((found >= observed - _TOLERANCE).sum())
    if not exact:
        return PermutationTest((reached + 1) / (len(found) + 1), 1 / (len(found) + 1), len(found), exact)
    most = int((found >= found.max() - _TOLERANCE).sum())
    return PermutationTest(reached / len(found), most / len(found), len(found), exact)


@cache
def _exchanges(models: int, exact: bool) -> IntArray:
    """Return which models are exchanged, int64[exchanges, models] of 0 and 1; the first row has none."""
    if exact:
        return np.array(list(itertools.product((0, 1), repeat=models)), np.int64)
    drawn = np.random.default_rng(SEED).integers(0, 2, (DRAWN + 1, models))
    drawn[0] = 0
    return drawn


def _exchanged(
    method: str, one: FloatArray, other: FloatArray, results: FloatArray, exchanges: IntArray
) -> Iterator[FloatArray]:
    """Yield the differences of the correlations after each of the exchanges."""
    flat = results.reshape(1, -1)
    block = max(1, _CELLS // flat.size ** (2 if method == "kendall" else 1))
    correlate = kendall if method == "kendall" else pearson
    for start in range(0, len(exchanges), block):
        swap = exchanges[start : start + block, None, :] == 1
        firsts, seconds = (
            np.where(swap, values[1], values[0]).reshape(len(swap), -1) for values in ((one, other), (other, one))
        )
        yield correlate(firsts, flat) - correlate(seconds, flat)
