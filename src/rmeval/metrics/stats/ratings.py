"""Bradley-Terry ratings of players from games between them."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from rmeval.types import FloatArray

__all__ = ["bradley_terry"]

_RIDGE = 1e-6
_ROUNDS = 60


def bradley_terry(wins: FloatArray) -> FloatArray:
    """Compute ratings by maximum likelihood (Bradley and Terry 1952, Biometrika 39:324), in log-odds with mean 0.

    A player with rating r beats one with rating s with the probability 1/(1 + exp(s - r)); a drawn game is half a win
    for each. Elo's scale, on which FastChat reports the maximum of the same likelihood (`compute_bt` of
    `serve/monitor/rating_systems.py`), is 400/ln 10 times this and shifted. A penalty of 1e-6 r²/2 keeps the rating of
    a player who wins all games finite; its effect on other ratings is of the same order. The fit uses Newton's method,
    for many tables at once.

    Args:
        wins: float64[..., players, players]: how often the row beat the column; the diagonal is ignored.

    Returns:
        float64[..., players].
    """
    players = wins.shape[-1]
    own = np.where(np.eye(players, dtype=bool), 0.0, wins)
    games = own + np.swapaxes(own, -1, -2)
    won = own.sum(axis=-1)
    rating = np.zeros(wins.shape[:-1])
    diagonal = np.arange(players)
    for _ in range(_ROUNDS):
        chance = expit(rating[..., :, None] - rating[..., None, :])
        gradient = won - (games * chance).sum(axis=-1) - _RIDGE * rating
        curvature = games * chance * (1 - chance)
        # The likelihood does not change if all ratings increase equally; the constant prevents a singular matrix.
        matrix = 1 / players - curvature
        matrix[..., diagonal, diagonal] += curvature.sum(axis=-1) + _RIDGE
        # Longer steps overshoot or diverge.
        step = np.clip(np.linalg.solve(matrix, gradient[..., None])[..., 0], -2, 2)
        rating = rating + step
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    # Give players with equal results exactly equal ratings, without the residue of the last step.
    found: FloatArray = np.round(rating - rating.mean(axis=-1, keepdims=True), 8)
    return found
