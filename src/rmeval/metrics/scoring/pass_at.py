"""pass@k: the probability that at least one of k responses is right."""

from __future__ import annotations

from math import comb

import numpy as np

from rmeval.types import FloatArray, IntArray

__all__ = ["pass_at"]


def pass_at(right: IntArray, known: IntArray, k: int) -> FloatArray:
    """Estimate pass@k of each problem without bias (Chen et al. 2021, arXiv:2107.03374, equation 1).

    With c right responses of n, it is 1 - C(n-c, k) / C(n, k): the share of all subsets of k responses that contain a
    right one. It equals `best_of_k` with the quality itself as scores. Whole numbers are divided, so that nothing is
    rounded on the way.

    Args:
        right: int64[problems], c.
        known: int64[problems], n.
        k: Number of responses.

    Returns:
        float64[problems]; NaN where fewer than k responses are known.
    """
    pairs, place = np.unique(np.stack([right, known], axis=1), axis=0, return_inverse=True)
    values = [1 - comb(n - c, k) / comb(n, k) if n >= k else np.nan for c, n in pairs.tolist()]
    found: FloatArray = np.array(values, float)[place.ravel()]
    return found
