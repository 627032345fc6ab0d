"""Best-of-N and majority vote by the rule of Qwen2.5-Math's evaluation, which takes the first of tied responses."""

from __future__ import annotations

import numpy as np

from rmeval.types import FloatArray, IntArray

__all__ = ["first_best", "first_majority"]


def first_best(scores: FloatArray, quality: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the quality of the first response with the highest score of each prompt.

    This is `eval_rm_k_metrics` of `evaluation/rm_maj_eval.py` in QwenLM/Qwen2.5-Math, whose `rm@k` is the mean.

    Args:
        scores: float64[responses]; NaN, which the reference does not expect, is below all others.
        quality: float64[responses].
        offsets: int64[n + 1].

    Returns:
        float64[n].
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    return quality[[start + int(known[start:end].argmax()) for start, end in _ranges(offsets)]]


def first_majority(groups: IntArray, quality: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the quality of the first response with the most frequent answer of each prompt.

    Of equally frequent answers, the one that occurs first wins, and responses without an answer vote together. This is
    `eval_maj_k_metrics` of the same file, whose `maj@k` is the mean.

    Args:
        groups: int64[responses], equal for equal answers of a prompt, -1 for no answer.
        quality: float64[responses].
        offsets: int64[n + 1].

    Returns:
        float64[n].
    """
    found = []
    for start, end in _ranges(offsets):
        _, first, counts = np.unique(groups[start:end], return_index=True, return_counts=True)
        found.append(start + int(first[counts == counts.max()].min()))
    return quality[found]


def _ranges(offsets: IntArray) -> list[tuple[int, int]]:
    return list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
