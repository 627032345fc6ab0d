"""The model of Bradley and Terry for battles against one baseline, with covariates of each battle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import expit, logit

from rmeval.types import FloatArray, IntArray

__all__ = ["CONVERGED", "Fit", "fit_strengths", "identified", "separated"]

_ITERATIONS = 60
CONVERGED = 1e-10
_ROUNDING, _SHORTEST = 1e-12, 1e-6
"""Relative increase of the loss that may be rounding, and the shortest part of a step."""
_FAR = 15.0
"""Log-odds beyond which a fit may be on its way to infinity."""
_SAME = 1e-10
"""Share of a covariate's variation below which the others determine it."""
_SEPARATES = 1e-9


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood estimates.

    Attributes:
        strength: float64[k], log-odds of each policy against the baseline where all covariates are 0.
        weights: float64[j], weights of the covariates.
        gradient: Norm of the gradient of the log-likelihood at the estimates.
        finite: Whether the estimates are finite: no log-odds is so large that wins and losses may be separated.
    """

    strength: FloatArray
    weights: FloatArray
    gradient: float
    finite: bool


def fit_strengths(
    policy: IntArray,
    wins: FloatArray,
    battles: FloatArray,
    covariates: FloatArray,
    start: Fit | None = None,
    tolerance: float = CONVERGED,
) -> Fit | None:
    """Fit log-odds of `strength[policy] + covariates @ weights` to shares of wins, by Newton's method in float64.

    This is Bradley and Terry's (1952, Biometrika 39:324) model with covariates of the battle, where the baseline's
    strength is 0 and a tie is half a win. Without covariates, expit(strength) is the share of wins.

    Args:
        policy: int64[n], policy of each group of battles, from 0 to k - 1; each has a group.
        wins: float64[n], number of wins of each group of battles with equal covariates; a tie counts one half.
        battles: float64[n], number of battles of each group.
        covariates: float64[n, j].
        start: Estimates from which to start.
        tolerance: Norm of the gradient at which the estimates are final, for up to 1,000 battles; with more battles, it
            is proportional to their number.

    Returns:
        The estimates; None if policies and covariates determine each other, or the method does not converge.
    """
    one = _Likelihood(policy, wins, battles, covariates)
    enough = tolerance * max(1.0, float(battles.sum()) / 1000)
    point = one.start() if start is None else np.concatenate([start.strength, start.weights])
    odds = one.odds(point)
    loss = one.loss(odds)
    for _ in range(_ITERATIONS):
        slope, step = one.newton(odds)
        if step is None:
            return None
        size, far = float(np.linalg.norm(slope)), float(np.abs(odds).max())
        if size <= enough or far > 2 * _FAR:
            return Fit(point[: one.policies], point[one.policies :], size, far <= _FAR)
        scale, before = 1.0, loss
        while True:
            after = point - scale * step
            odds = one.odds(after)
            loss = one.loss(odds)
            if loss <= before + _ROUNDING * abs(before) or scale < _SHORTEST:
                break
            scale /= 2
        point = after
    return None


class _Likelihood:
    """Minus the log-likelihood, and its derivatives."""

    def __init__(self, policy: IntArray, wins: FloatArray, battles: FloatArray, covariates: FloatArray) -> None:
        self.policy, self.wins, self.battles, self.covariates = policy, wins, battles, covariates
        self.policies = int(policy.max()) + 1

    def start(self) -> FloatArray:
        won, of = self._sum(self.wins), self._sum(self.battles)
        odds: FloatArray = logit((won + 0.5) / (of + 1))
        return np.concatenate([odds, np.zeros(self.covariates.shape[1])])

    def _sum(self, values: FloatArray) -> FloatArray:
        found: FloatArray = np.bincount(self.policy, values, self.policies).astype(float)
        return found

    def odds(self, point: FloatArray) -> FloatArray:
        found: FloatArray = point[: self.policies][self.policy] + self.covariates @ point[self.policies :]
        return found

    def loss(self, odds: FloatArray) -> float:
        return float(self.battles @ np.logaddexp(0, odds) - self.wins @ odds)

    def newton(self, odds: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return the gradient and Newton's step; the step is None if the Hessian is not positive definite.

        The policies' part of the Hessian is diagonal, so only the Schur complement of the covariates' part is factored.
        """
        chance = expit(odds)
        missing = self.battles * chance - self.wins
        curvature = self.battles * chance * (1 - chance)
        slope = np.concatenate([self._sum(missing), self.covariates.T @ missing])
        own = self._sum(curvature)
        if not own.min() > 0:
            return slope, None
        if not self.covariates.shape[1]:
            return slope, slope / own
        weighted = self.covariates * curvature[:, None]
        mixed = np.stack([self._sum(column) for column in weighted.T], axis=1)
        inner = self.covariates.T @ weighted - mixed.T @ (mixed / own[:, None])
        try:
            np.linalg.cholesky(inner)  # It fails where the Hessian is not positive definite.
            last = np.linalg.solve(inner, slope[self.policies :] - mixed.T @ (slope[: self.policies] / own))
        except np.linalg.LinAlgError:
            return slope, None
        first = (slope[: self.policies] - mixed @ last) / own
        return slope, np.concatenate([first, last])


def identified(policy: IntArray, battles: FloatArray, covariates: FloatArray) -> list[bool]:
    """Return of each covariate whether policies and earlier covariates leave some of its variation.

    Args:
        policy: int64[n], policy of each group of battles.
        battles: float64[n], number of battles of each group.
        covariates: float64[n, j].
    """
    root = np.sqrt(battles)
    indicators = np.eye(int(policy.max()) + 1)[policy]
    kept = indicators * root[:, None]
    basis = kept / np.maximum(np.linalg.norm(kept, axis=0), 1e-300)
    found = []
    for column in covariates.T:
        own = (column - np.average(column, weights=battles)) * root
        rest = own.copy()
        for _ in range(2):  # Once more, against rounding.
            rest -= basis @ (basis.T @ rest)
        left = float(rest @ rest)
        found.append(left > _SAME * float(own @ own))
        if found[-1]:
            basis = np.column_stack([basis, rest / np.sqrt(left)])
    return found


def separated(policy: IntArray, wins: FloatArray, battles: FloatArray, covariates: FloatArray) -> bool:
    """Return whether no finite estimate exists, because some weights separate wins from losses.

    That is so if weights exist whose log-odds are nowhere negative where all battles are won, nowhere positive where
    all are lost, 0 elsewhere, and not 0 everywhere (Albert and Anderson 1984, Biometrika 71:1). A linear program finds
    them (Konis 2007, thesis, Oxford).
    """
    design = np.column_stack([np.eye(int(policy.max()) + 1)[policy], covariates])
    sign = np.where(wins >= battles, 1.0, np.where(wins <= 0, -1.0, 0.0))
    decided, mixed = design[sign != 0] * sign[sign != 0, None], design[sign == 0]
    if not len(decided):
        return False
    # Without mixed rows, one of zeros keeps the equations' shape.
    equal = mixed if len(mixed) else np.zeros((1, design.shape[1]))
    found = linprog(
        -decided.mean(axis=0),
        A_ub=-decided,
        b_ub=np.zeros(len(decided)),
        A_eq=equal,
        b_eq=np.zeros(len(equal)),
        bounds=(-1, 1),
    )
    return found.fun is not None and bool(-found.fun > _SEPARATES)
