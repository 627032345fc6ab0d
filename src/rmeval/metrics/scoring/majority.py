"""Majority vote among n responses: the most frequent final answer is picked (self-consistency)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit

from rmeval.data.tables import Codes
from rmeval.metrics.scoring.best_of_n import by_size
from rmeval.types import FloatArray, IntArray

__all__ = ["MOST", "SAMPLES", "majority_curves", "voting_weights", "weighted_majority_curves"]

MOST = 512
"""Largest number of responses of a prompt; binomial coefficients of more overflow."""
SAMPLES = 200
"""Number of subsets for each prompt and n of the weighted vote; if there are no more, all of them are used."""
_NO_ANSWER = -1


def majority_curves(
    groups: IntArray, quality: FloatArray, offsets: Codes | IntArray, numbers: Sequence[int]
) -> FloatArray:
    """Compute the expected quality of the majority's answer among n responses drawn at random without replacement.

    The answer with the most votes is picked (Wang et al. 2023, arXiv 2203.11171, section 2); if several have equally
    many, one of them is drawn at random. Responses without an answer do not vote; if no response has an answer, one of
    them is drawn. The quality of an answer is the mean over the responses that give it.

    The expectation is over all subsets, without sampling. Let c be the number of responses with an answer. The number
    of subsets in which the winner has exactly m votes is a coefficient of the product over answers of sum_{k<m} C(c, k)
    x^k + y C(c, m) x^m, where the power of y is the number t of winners and the power of x the size of the subset; the
    sum of the winners' qualities follows from the same product (its derivative), and is divided by t.

    Args:
        groups: int64[responses]: equal answers of a prompt have equal numbers; -1 without an answer.
        quality: float64[responses], without NaN.
        offsets: int[prompts + 1].
        numbers: The numbers n.

    Returns:
        float64[prompts, numbers]; NaN for a prompt with fewer than n responses or more than `MOST`.
    """
    found: FloatArray = np.full((len(offsets) - 1, len(numbers)), np.nan)
    for prompt, (start, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        fitting = [k for k, number in enumerate(numbers) if number <= end - start]
        if fitting and end - start <= MOST:
            own, good = groups[start:end], quality[start:end]
            silent = own == _NO_ANSWER
            _, code, count = np.unique(own[~silent], return_inverse=True, return_counts=True)
            worth = np.bincount(code, good[~silent], len(count)) / np.maximum(count, 1)
            answers = tuple(sorted(zip(count.tolist(), worth.tolist(), strict=True)))
            rest = (int(silent.sum()), float(good[silent].mean()) if silent.any() else 0.0)
            found[prompt, fitting] = [_majority(answers, rest)[numbers[k] - 1] for k in fitting]
    return found


@lru_cache(maxsize=4096)
def _majority(answers: tuple[tuple[int, float], ...], silent: tuple[int, float]) -> tuple[float, ...]:
    """Compute the expected quality for each n, given the votes and the quality of each answer."""
    size = sum(count for count, _ in answers) + silent[0]
    every = _binomials(size, size)
    total = np.zeros(size + 1)
    for votes in range(1, max((count for count, _ in answers), default=0) + 1):
        total += _won_with(votes, answers, silent[0], size)
    without: FloatArray = _binomials(silent[0], size) * silent[1]
    found: list[float] = ((total + without)[1:] / every[1:]).tolist()
    return tuple(found)


def _won_with(votes: int, answers: Sequence[tuple[int, float]], silent: int, size: int) -> FloatArray:
    """Sum the mean quality of the winners over the subsets whose winners have that many votes, by size of subset."""
    below = silent + sum(count for count, _ in answers if count < votes)
    able = [(count, worth) for count, worth in answers if count >= votes]
    most = min(len(able), size // votes)
    # By number of winners and size of the subset: the number of subsets, and the sum of the winners' qualities.
    ways, worths = np.zeros((most + 1, size + 1)), np.zeros((most + 1, size + 1))
    ways[0] = _binomials(below, size)
    for count, worth in able:
        own = _binomials(count, size)
        fewer = _shifting(np.where(np.arange(size + 1) < votes, own, 0.0))
        won = np.zeros_like(ways)
        gained = np.zeros_like(ways)
        won[1:, votes:] = ways[:-1, : size + 1 - votes] * own[votes]
        gained[1:, votes:] = worths[:-1, : size + 1 - votes] * own[votes]
        worths = worths @ fewer + gained + worth * won
        ways = ways @ fewer + won
    found: FloatArray = (worths[1:] / np.arange(1, most + 1)[:, None]).sum(axis=0)
    return found


@lru_cache(maxsize=4096)
def _binomials(count: int, length: int) -> FloatArray:
    """Return C(count, k) for k from 0 to `length`."""
    k = np.arange(1, length + 1)
    steps = np.concatenate([[1.0], np.maximum(count - k + 1, 0) / k])
    found: FloatArray = np.cumprod(steps).astype(np.float64)
    return found


def _shifting(polynomial: FloatArray) -> FloatArray:
    """Return the matrix that multiplies the coefficients of polynomials (as rows) by a polynomial."""
    length = len(polynomial)
    padded = np.concatenate([np.zeros(length - 1), polynomial])
    return sliding_window_view(padded, length)[::-1]


def voting_weights(scores: FloatArray) -> FloatArray:
    """Return the weights of votes, float64[responses]: none is negative, so that more votes are never worth less.

    Scores between 0 and 1 are used as they are, others become 1/(1 + exp(-score)); a missing score becomes 0.
    """
    known = scores[~np.isnan(scores)]
    plain = not len(known) or (known.min() >= 0 and known.max() <= 1)
    return np.nan_to_num(scores if plain else expit(scores))


def weighted_majority_curves(
    weights: FloatArray,
    groups: IntArray,
    quality: FloatArray,
    offsets: Codes | IntArray,
    numbers: Sequence[int],
    seed: int = 0,
) -> FloatArray:
    """Compute the quality of the answer with the largest sum of weights (Li et al. 2023, arXiv 2206.02336).

    If there are at most `SAMPLES` subsets of n responses, it is the mean over all of them, otherwise over `SAMPLES`
    subsets that are drawn with a seed. Ties, and responses without an answer, are as in `majority_curves`. If all votes
    of a subset have the weight 0, each counts 1: answers would tie otherwise, however many votes they have.

    Args:
        weights: float64[responses], see `voting_weights`.
        groups: int64[responses]: equal answers of a prompt have equal numbers; -1 without an answer.
        quality: float64[responses], without NaN.
        offsets: int[prompts + 1].
        numbers: The numbers n.
        seed: Seed of the subsets.

    Returns:
        float64[prompts, numbers]; NaN for a prompt with fewer than n responses.
    """
    found: FloatArray = np.full((len(offsets) - 1, len(numbers)), np.nan)
    random = np.random.default_rng(seed)
    for own, places in by_size(offsets):
        size = places.shape[1]
        for column, number in enumerate(numbers):
            if number > size:
                continue
            drawn = _subsets(size, number, random)
            # Each prompt has its own order, or errors of drawing would be shared where responses are sorted.
            for prompt, place in zip(own.tolist(), random.permuted(places, axis=1), strict=True):
                found[prompt, column] = _heaviest(weights[place], groups[place], quality[place], drawn).mean()
    return found


def _subsets(size: int, number: int, random: np.random.Generator) -> IntArray:
    """Return all subsets if they are few, otherwise drawn ones, int64[subsets, number]."""
    if comb(size, number) <= SAMPLES:
        return np.array(list(combinations(range(size), number)), np.int64)
    found: IntArray = np.argsort(random.random((SAMPLES, size)), axis=1)[:, :number]
    return found


def _heaviest(weights: FloatArray, groups: IntArray, quality: FloatArray, drawn: IntArray) -> FloatArray:
    """Return the mean quality of the answers with the largest sum of weights, for each row of drawn responses."""
    _, code = np.unique(groups, return_inverse=True)
    votes = groups != _NO_ANSWER
    codes = int(code.max()) + 1
    worth = np.bincount(code, quality, codes) / np.bincount(code, minlength=codes)
    held = np.zeros((len(drawn), codes))
    rows = np.arange(len(drawn))[:, None]
    cast = np.where(votes[drawn], weights[drawn], 0.0)
    cast[~cast.any(axis=1)] = 1.0
    np.add.at(held, (rows, code[drawn]), cast)
    there = np.zeros((len(drawn), codes), bool)
    there[rows, code[drawn]] = votes[drawn]
    silent = ~there.any(axis=1)
    held[~there] = -np.inf
    # Sums of the same weights in another order differ by rounding.
    best = (held >= held.max(axis=1, keepdims=True) - 1e-12) & there
    found: FloatArray = (best * worth).sum(axis=1) / np.maximum(best.sum(axis=1), 1)
    found[silent] = quality[drawn[silent]].mean(axis=1)
    return found
