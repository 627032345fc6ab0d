"""Chance levels: what a judge gets whose verdicts are drawn at random, by the rule of each variant of the evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.special import bdtrc, gammaln, xlogy

from rmeval.protocols.judging.evidence import VOTES
from rmeval.protocols.judging.several import ROTATIONS_MEAN
from rmeval.protocols.pairwise import AGREE, MEAN, NET
from rmeval.types import FloatArray, ScoreRule

__all__ = [
    "BestGuess",
    "Guess",
    "MeanBestGuess",
    "PairGuess",
    "agreed_guess",
    "best_guess",
    "majority_guess",
    "mean_pair_guess",
    "net_guess",
    "pair_guess",
]


class Guess(Protocol):
    """A judge whose verdicts are random."""

    def credit(self, members: int, rule: ScoreRule) -> float:
        """The expected credit of a comparison.

        Args:
            members: Number of responses in the comparison.
            rule: The score rule.
        """
        ...


@dataclass(frozen=True, slots=True)
class PairGuess:
    """Random verdicts on pairs, independent of each other.

    Attributes:
        win: Probability of a verdict for a given response of a pair; that for the other one is the same.
        tie: Probability of a tie.
    """

    win: float
    tie: float = 0.0

    def credit(self, members: int, rule: ScoreRule) -> float:
        """The expected credit of a comparison that is decided by pairs of its winner and each other member.

        With k members, the winner must lose no pair. If ties lose, the credit is w^(k-1). If they are shared, it is
        the mean of 1/(1 + j) over j ties without a loss,

            sum_j C(k-1, j) w^(k-1-j) t^j / (1 + j) = ((w + t)^k - w^k) / (k t),

        since the integral of (w + t x)^(k-1) over x from 0 to 1 has both forms. A pair without a verdict makes the
        comparison fail, with probability 1 - (2 w + t)^(k-1).
        """
        if rule.tie == "share" and self.tie > 0:
            won = ((self.win + self.tie) ** members - self.win**members) / (members * self.tie)
        else:
            won = self.win ** (members - 1)
        return _with_failures(won, (2 * self.win + self.tie) ** (members - 1), members, rule)


@dataclass(frozen=True, slots=True)
class BestGuess:
    """Random choices of the best of several responses.

    Attributes:
        tie: Probability that a single output declares a tie.
        votes: Number of votes, of which more than half must agree.
    """

    tie: float = 0.0
    votes: int = 1

    def credit(self, members: int, rule: ScoreRule) -> float:
        """The expected credit of a comparison: the probability of the winner's choice, and its share of a tie."""
        win, tie = majority_guess(members, self.tie, self.votes)
        return _with_failures(win + (tie / members if rule.tie == "share" else 0.0), members * win + tie, members, rule)


@dataclass(frozen=True, slots=True)
class MeanBestGuess:
    """Random choices in all rotations, of which the most frequent one counts.

    Attributes:
        tie: Probability that a single output declares a tie, which counts for all responses alike.
        votes: Number of votes in each rotation.
        graded: Whether the judge has probabilities, of which two are never equal.
    """

    tie: float = 0.0
    votes: int = 1
    graded: bool = False

    def credit(self, members: int, rule: ScoreRule) -> float:
        """The expected credit of a comparison: 1/k if ties are shared, and otherwise 1/k of the decided cases."""
        if rule.tie == "share" or self.graded:
            return 1 / members
        return _top(members * self.votes, members, self.tie)


def pair_guess(variant: str, tie: float, votes: int, graded: bool) -> Guess:
    """Random verdicts on pairs.

    Args:
        variant: A name of `pair_variants`.
        tie: The share of declared ties among the judge's outputs.
        votes: Number of votes on a pair in one order.
        graded: Whether the judge has probabilities.
    """
    if variant == MEAN:
        return mean_pair_guess(tie, votes, graded)
    one = PairGuess(*majority_guess(2, tie, 1 if variant == VOTES else votes))
    return agreed_guess(one) if variant == AGREE else net_guess(one) if variant == NET else one


def best_guess(variant: str, tie: float, votes: int, graded: bool) -> Guess:
    """Random choices of the best response; the arguments are those of `pair_guess`."""
    if variant == ROTATIONS_MEAN:
        return MeanBestGuess(tie, votes, graded)
    return BestGuess(tie, 1 if variant == VOTES else votes)


def _with_failures(won: float, decided: float, members: int, rule: ScoreRule) -> float:
    """The credit, given its part in decided comparisons and the probability of these."""
    if rule.failure == "exclude":
        return won / decided if decided > 0 else math.nan
    return won + (1 - decided) / members if rule.failure == "share" else won


def majority_guess(options: int, tie: float, votes: int) -> tuple[float, float]:
    """The probabilities that more than half of random votes choose one given response, and that they declare a tie.

    Each vote declares a tie with probability t and chooses each of k responses with probability (1 - t)/k; more than
    half of n votes are for one of them with the upper tail of the binomial distribution.

    Args:
        options: Number of responses k.
        tie: Probability t.
        votes: Number of votes n.
    """
    return _tail(votes, (1 - tie) / options), _tail(votes, tie)


def _tail(votes: int, probability: float) -> float:
    return float(bdtrc(votes // 2, votes, probability))


def agreed_guess(order: PairGuess) -> PairGuess:
    """Two random orders, of which both must prefer a response: w² each; every other pair of verdicts is a tie."""
    win, decided = order.win**2, (2 * order.win + order.tie) ** 2
    return PairGuess(win, decided - 2 * win)


def net_guess(order: PairGuess) -> PairGuess:
    """Two random orders, of which more must prefer a response: w², and one verdict beside a tie or a missing one.

    With f = 1 - 2 w - t for an order without a verdict, a response wins with probability w² + 2 w (t + f), both orders
    are missing with probability f², and all else is a tie.
    """
    failed = 1 - 2 * order.win - order.tie
    win = order.win**2 + 2 * order.win * (order.tie + failed)
    return PairGuess(win, 1 - failed**2 - 2 * win)


def mean_pair_guess(tie: float, votes: int, graded: bool) -> PairGuess:
    """Two random orders, decided by the mean of all votes, of which 2 n declare a tie with probability t.

    The mean is a tie if as many votes are for one response as for the other; probabilities are never equal.
    """
    if graded:
        return PairGuess(0.5)
    win = _top(2 * votes, 2, tie)
    return PairGuess(win, 1 - 2 * win)


@lru_cache(maxsize=1 << 10)
def _top(outputs: int, options: int, tie: float) -> float:
    """The probability that a given one of k responses is chosen more often than each other one in n random outputs.

    The numbers of choices of each response, and of ties, are distributed as independent Poisson variables with means
    n (1 - t)/k and n t, given that their sum is n. The distribution of a sum is a convolution.
    """
    each = _poisson(outputs, outputs * (1 - tie) / options)
    won = np.zeros(outputs + 1)
    for count in np.flatnonzero(each[1:] > _RARE).tolist():
        most = count + 1
        others = np.ones(1)
        for _ in range(options - 1):
            others = np.convolve(others, each[:most])[: outputs - most + 1]
        won[most : most + len(others)] += each[most] * others
    return float(won @ _poisson(outputs, outputs * tie)[::-1] / _poisson(outputs, outputs)[-1])


_RARE = 1e-20
"""Probability of a number of choices that no result shows."""


def _poisson(most: int, mean: float) -> FloatArray:
    """The probability of each number from 0 on of a Poisson variable, float64[most + 1]."""
    number = np.arange(most + 1)
    found: FloatArray = np.exp(xlogy(number, mean) - mean - gammaln(number + 1))
    return found
