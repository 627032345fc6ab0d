"""RM-Bench's style-substance matrix and the numbers read from it (Liu et al. 2025, arXiv 2410.16184, section 3.4)."""

from __future__ import annotations

import numpy as np

from rmeval.metrics.outcomes import Outcomes
from rmeval.types import STYLES, FloatArray

__all__ = ["FORMULA", "LEVELS", "credit_matrices", "level_of", "levels"]

FORMULA = "rm-bench/accuracy@1"
LEVELS = ("easy", "normal", "hard", "average")


def level_of(tag: str) -> str:
    """`easy`, `normal` or `hard`, by which of the two styles of a contest's tag is the fancier."""
    chosen, rejected = (STYLES.index(style) for style in tag.split("/"))
    return "easy" if chosen > rejected else "hard" if chosen < rejected else "normal"


def credit_matrices(outcomes: Outcomes) -> FloatArray:
    """Lays each item's nine contests out as a matrix.

    Args:
        outcomes: Contests tagged `<style of chosen>/<style of rejected>`.

    Returns:
        float64[n, 3, 3], rows by the style of the chosen answer, columns by that of the rejected one, in the order
        of `STYLES`; NaN where an item lacks a contest.
    """
    cell = {f"{row}/{column}": (r, c) for r, row in enumerate(STYLES) for c, column in enumerate(STYLES)}
    matrix = np.full((outcomes.n_items, 3, 3), np.nan)
    place = np.array([cell[tag] for tag in outcomes.tags], dtype=np.int64).reshape(-1, 2)[outcomes.tag]
    matrix[outcomes.item, place[:, 0], place[:, 1]] = outcomes.credit
    return matrix


def levels(matrix: FloatArray) -> FloatArray:
    """Easy, Normal, Hard and their average, of one accuracy matrix or of many at once.

    Easy is the mean below the diagonal (the chosen answer has the fancier style), Normal the mean on it, Hard the
    mean above it (section 3.4; `compute_accuracy` in the reference's `scripts/utils.py`); the average of a domain
    is the mean of the three, as the reference computes it.

    Args:
        matrix: float64[..., 3, 3], accuracies by style of chosen and of rejected.

    Returns:
        float64[..., 4] in the order of `LEVELS`.
    """
    easy = (matrix[..., 1, 0] + matrix[..., 2, 0] + matrix[..., 2, 1]) / 3
    normal = (matrix[..., 0, 0] + matrix[..., 1, 1] + matrix[..., 2, 2]) / 3
    hard = (matrix[..., 0, 1] + matrix[..., 0, 2] + matrix[..., 1, 2]) / 3
    return np.stack([easy, normal, hard, (easy + normal + hard) / 3], axis=-1)
