"""Length and formatting bias of a model's preferences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, stdtrit

from rmeval.data.tables import Codes, EvidenceTable, ItemTable, starts
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.intervals import SCORE
from rmeval.metrics.stats.likelihood import limits
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.types import STYLES, FloatArray, IntArray

__all__ = [
    "STRATA",
    "Logistic",
    "Sides",
    "StyleControl",
    "length_balanced",
    "logistic",
    "sides_of",
    "strata_of",
    "style_control",
    "style_preference",
]

STRATA = ("half or less", "shorter", "similar", "longer", "twice or more")
"""Ratio of the better response's length to the worse one's: up to 1/2, up to 1/1.1, up to 1.1, below 2, 2 or more."""
_EDGES = np.array([0.5, 1 / 1.1, 1.1, 2.0])
_SURE = 12.0
"""Limit of a coefficient, in log-odds per standard deviation; above it, the feature alone decides."""


class Sides(NamedTuple):
    """Positions of the two responses of each comparison in columns of responses; -1 for more than two responses."""

    better: IntArray
    worse: IntArray


def sides_of(table: ItemTable) -> Sides:
    """Return the two sides of each comparison with a winner, in the order of `Outcomes`."""
    first = starts([sum(c.gold is not None for c in shape.comparisons) for shape in table.shapes], table.shape)
    sides = Sides(np.full(int(first[-1]), -1, np.int64), np.full(int(first[-1]), -1, np.int64))
    for comparisons, positions in table.by_comparisons():
        decided = [comparison for comparison in comparisons if comparison.gold is not None]
        for number, comparison in enumerate(decided):
            if len(comparison.members) == 2 and comparison.gold is not None:
                begin, places = table.offsets[positions], first[positions] + number
                sides.better[places] = begin + comparison.members[comparison.gold]
                sides.worse[places] = begin + comparison.members[1 - comparison.gold]
    return sides


def strata_of(sides: Sides, characters: Codes) -> Codes:
    """Return positions in `STRATA`, int32[comparisons]; -1 for more than two responses, or for two empty ones."""
    better, worse = characters[sides.better].astype(float), characters[sides.worse].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = better / worse
    found: Codes = np.digitize(ratio, _EDGES, right=True).astype(np.int32)
    found[ratio >= _EDGES[-1]] = len(STRATA) - 1
    found[(sides.better < 0) | np.isnan(ratio)] = -1
    return found


def style_preference(evidence: EvidenceTable) -> tuple[FloatArray, Codes]:
    """Find whether the model prefers the fancier of two equally good responses, for each pair of styles of each item.

    A model that compares responses has values only for the pairs that it compared.

    Returns:
        float64[pairs]: 1, 0, or one half for equal scores, NaN if a score is missing; and int32[pairs], the item.
    """
    if evidence.readings:
        parts = [style_preference(one) for one in evidence.readings]
        held = np.stack([one.covered[parts[0][1]] for one in evidence.readings])
        return np.where(held, np.stack([own for own, _ in parts]), 0.0).sum(axis=0) / held.sum(axis=0), parts[0][1]
    table, scores = evidence.table, evidence.scores
    preferred, item = [np.empty(0)], [np.empty(0, np.int32)]
    for looks, positions in table.by(lambda shape: tuple((one.gold, one.style) for one in shape.responses)):
        pairs = [
            (k, j)
            for k, (gold, style) in enumerate(looks)
            for j, (other, plainer) in enumerate(looks)
            if gold is not None and gold == other and style in STYLES and plainer in STYLES
            if STYLES.index(style) > STYLES.index(plainer)
        ]
        for fancier, plainer in pairs:
            own, other = scores[table.offsets[positions] + fancier], scores[table.offsets[positions] + plainer]
            share = np.where(np.isnan(own) | np.isnan(other), np.nan, 0.5 + 0.5 * np.sign(own - other))
            for row, position in enumerate(positions.tolist()) if evidence.beats else ():
                if (matrix := evidence.beats.get(position)) is not None:
                    share[row] = 0.5 + 0.5 * np.sign(matrix[fancier, plainer] - 0.5)
            preferred.append(share)
            item.append(positions.astype(np.int32))
    return np.concatenate(preferred), np.concatenate(item)


def length_balanced(
    found: Outcomes, sides: Sides, characters: Codes, intervals: bool = True
) -> tuple[float, tuple[float, float] | None, str | None]:
    """Compute the mean of two accuracies: with the longer response as the better one, and with the shorter one.

    A model that decides by length alone gets one half, whether it prefers long or short responses. Comparisons of
    equally long responses are excluded.

    Returns:
        The number (NaN without comparisons of one kind), its interval (None without `intervals`) and the interval's
        method.
    """
    apart = np.sign(characters[sides.better].astype(np.int64) - characters[sides.worse])
    apart[sides.better < 0] = 0
    use = ~np.isnan(found.credit) & (apart != 0)
    credit, part = found.credit[use], (apart[use] > 0).astype(np.int32)
    if len(np.unique(part)) < 2:
        return np.nan, None, None
    one, other = (float(credit[part == side].mean()) for side in (1, 0))
    if not intervals:
        return (one + other) / 2, None, None
    cluster = found.cluster[found.item][use]
    own = sample(credit, part, cluster, np.full(2, 0.5), Strata.of(part, cluster, 2))
    low, high = limits([own])[0].tolist()
    return (one + other) / 2, (low, high), SCORE


class Logistic(NamedTuple):
    """A fitted logistic regression.

    Attributes:
        coefficients: float64[k].
        covariance: float64[k, k], robust to clusters.
        converged: Whether the likelihood has a finite maximum.
    """

    coefficients: FloatArray
    covariance: FloatArray
    converged: bool


def logistic(outcome: FloatArray, features: FloatArray, cluster: Codes | IntArray) -> Logistic:
    """Fit a logistic regression by maximum likelihood, with cluster-robust standard errors.

    The fit uses Newton's method; the covariance is the sandwich estimator of Liang and Zeger (1986, Biometrika 73:13)
    with the factor G/(G-1) (n-1)/(n-k) for G clusters, as in statsmodels and Stata.

    Args:
        outcome: float64[n], between 0 and 1; a shared tie is one half.
        features: float64[n, k], with a column of ones for an intercept.
        cluster: int[n].
    """
    count, width = features.shape
    coefficients = np.zeros(width)
    converged = False
    for _ in range(50):
        chance = expit(features @ coefficients)
        information = (features * (chance * (1 - chance))[:, None]).T @ features
        step = np.linalg.lstsq(information, features.T @ (outcome - chance), rcond=None)[0]
        # Longer steps diverge or overshoot.
        coefficients = coefficients + np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-10:
            converged = True
            break
        if np.abs(coefficients).max() > 40:
            break
    chance = expit(features @ coefficients)
    inverse = np.linalg.pinv((features * (chance * (1 - chance))[:, None]).T @ features)
    member = np.unique(cluster, return_inverse=True)[1]
    groups = int(member.max()) + 1
    residual = features * (outcome - chance)[:, None]
    scores = np.stack([np.bincount(member, column, groups) for column in residual.T], axis=1)
    factor = groups / max(groups - 1, 1) * (count - 1) / max(count - width, 1)
    return Logistic(coefficients, factor * inverse @ (scores.T @ scores) @ inverse, converged)


@dataclass(frozen=True, slots=True)
class StyleControl:
    """A model's accuracy at equal length and formatting.

    Attributes:
        accuracy: Probability that the model prefers the better of two responses of equal length and formatting.
        accuracy_ci: Its 95% interval.
        length: Increase of the log-odds for one standard deviation of the difference in length.
        length_ci: Its 95% interval.
        markdown: The same for the difference in markdown.
        markdown_ci: Its 95% interval.
        clusters: Number of problems.
    """

    accuracy: float
    accuracy_ci: tuple[float, float]
    length: float
    length_ci: tuple[float, float]
    markdown: float
    markdown_ci: tuple[float, float]
    clusters: int


def style_control(found: Outcomes, sides: Sides, characters: Codes, markdown: Codes) -> StyleControl | None:
    """Fit a style control like that of Chatbot Arena, for one model.

    The log-odds that the model prefers the better response are a + b (l - l')/(l + l') + c (m - m')/(m + m' + 1), where
    l and m are the better response's length in characters and number of markdown elements, and l' and m' those of the
    worse one. These are the differences of LMSYS's "Does style matter?" (2024) and of `show_result.py` in
    arena-hard-auto (without its densities). They are divided by their standard deviations but not centred, so that a is
    the value for responses of equal style.

    Returns:
        None if there are too few outcomes, if all are won or all are lost, or if style alone decides.
    """
    use = (sides.better >= 0) & ~np.isnan(found.credit)
    better, worse = sides.better[use], sides.worse[use]
    outcome, cluster = found.credit[use], found.cluster[found.item][use]
    if len(outcome) < 10 or outcome.min() == outcome.max():
        return None
    own, other = characters[better].astype(float), characters[worse].astype(float)
    longer = np.divide(own - other, own + other, out=np.zeros(len(own)), where=own + other > 0)
    own, other = markdown[better].astype(float), markdown[worse].astype(float)
    fancier = (own - other) / (own + other + 1)
    scales = [float(column.std()) or 1.0 for column in (longer, fancier)]
    features = np.stack([np.ones(len(own)), longer / scales[0], fancier / scales[1]], axis=1)
    fit = logistic(outcome, features, cluster)
    if not fit.converged or float(np.abs(fit.coefficients).max()) > _SURE:
        return None
    error = np.sqrt(np.diag(fit.covariance))
    groups = len(np.unique(cluster))
    reach = float(stdtrit(groups - 1, 0.975)) * error
    low, high = fit.coefficients - reach, fit.coefficients + reach
    a, b, c = fit.coefficients.tolist()
    return StyleControl(
        float(expit(a)),
        (float(expit(low[0])), float(expit(high[0]))),
        b,
        (float(low[1]), float(high[1])),
        c,
        (float(low[2]), float(high[2])),
        groups,
    )
