"""Item response: how difficult items are, how well they discriminate between models, and how able models are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit, ndtr

from rmeval.types import FloatArray, IntArray

__all__ = [
    "ENOUGH",
    "FEWEST",
    "ItemResponse",
    "ItemResults",
    "fit_items",
]

FEWEST = 5
"""Minimum number of models: with fewer, one result per model does not determine two numbers of an item."""
ENOUGH = 20
"""Number of models with which most of the items that seem to discriminate negatively do so, in simulations."""
_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(5)
_STEPS = 300
_BLOCK = 4_096
_CLOSE = 1e-3
_LEAST = 1e-3
"""Minimum variance of a parameter over the items."""
_STEEP = 2.5
"""Maximum of the mean discrimination; values above 1.7 are called very high (Baker 2001, "The Basics of Item Response
Theory", chapter 2)."""


@dataclass(frozen=True)
class ItemResults:
    """What each model achieved on each item.

    Items with equal results of all models have the same parameters. They form a kind, which is stored once.

    Attributes:
        share: float64[models, kinds], the share of an item's comparisons that a model decides right.
        count: float64[kinds], number of comparisons of an item.
        times: float64[kinds], number of items of each kind.
        kind: int64[items], the kind of each item.
        order: int64[models], the position of each model in what `of` was given.
    """

    share: FloatArray
    count: FloatArray
    times: FloatArray
    kind: IntArray
    order: IntArray

    @classmethod
    def of(cls, share: FloatArray, count: FloatArray) -> ItemResults:
        """Return the distinct results of items.

        Models are sorted by what they achieve, so that sums do not depend on the order of models or items.

        Args:
            share: float64[models, items].
            count: float64[items].
        """
        order = _order(share)
        rows, kind, times = np.unique(
            np.column_stack([count, share[order].T]), axis=0, return_inverse=True, return_counts=True
        )
        return cls(rows[:, 1:].T.copy(), rows[:, 0].copy(), times.astype(float), kind.reshape(-1), order)

    def without(self, models: IntArray) -> ItemResults:
        """Return the results of the other models.

        Kinds are formed again, because an order of kinds that results of left out models determine would favour items
        that these models decide right or wrong.
        """
        keep = np.setdiff1d(np.arange(len(self.share)), models)
        found = ItemResults.of(self.share[keep][:, self.kind], self.count[self.kind])
        return replace(found, order=self.order[keep[found.order]])


def _order(share: FloatArray) -> IntArray:
    """Return an order of the models that depends on their results alone, not on the order of models or items."""
    level = np.sort(share, axis=0).sum(axis=0)
    keys = [np.sort(share * weight, axis=1).sum(axis=1) for weight in (np.cos(level), np.sin(3 * level), level**0)]
    return np.lexsort([np.round(key, 9) for key in keys])


@dataclass(frozen=True)
class ItemResponse:
    """The fitted model: the log-odds that a model decides a comparison right are discrimination x ability - difficulty.

    Attributes:
        results: What each model achieved on each item.
        discrimination: float64[kinds].
        difficulty: float64[kinds]; the log-odds that a model of ability 0 decides wrong.
        covariance: float64[kinds, 2, 2], the posterior covariance of both.
        mean: float64[2], the means of both over the items.
        spread: float64[2, 2], their covariance over the items.
        ability: float64[models], in the order of `results`; mean 0 and standard deviation 1 over the models.
        alike: Correlation of the results of the comparisons of an item for one model, beyond its ability.
        scores: float64[models, kinds], the derivatives of an item's log likelihood by the abilities.
        observed: float64[models, models], the observed information on the abilities.
    """

    results: ItemResults
    discrimination: FloatArray
    difficulty: FloatArray
    covariance: FloatArray
    mean: FloatArray
    spread: FloatArray
    ability: FloatArray
    alike: float
    scores: FloatArray
    observed: FloatArray

    @cached_property
    def weight(self) -> FloatArray:
        """float64[kinds]: the number of independent comparisons with the information of an item's comparisons."""
        return effective(self.results.count, self.alike)

    @cached_property
    def chance(self) -> FloatArray:
        """float64[models, kinds]: the fitted probability that a model decides a comparison right."""
        found: FloatArray = expit(np.outer(self.ability, self.discrimination) - self.difficulty)
        return found

    @property
    def negative(self) -> FloatArray:
        """float64[kinds]: the posterior probability that the discrimination is negative."""
        found: FloatArray = ndtr(-self.discrimination / np.sqrt(self.covariance[:, 0, 0]))
        return found

    @property
    def information(self) -> FloatArray:
        """float64[kinds]: Fisher's information of an item on a model's ability, on average over the models.

        For the logistic model it is a^2 p (1 - p) for each independent comparison (Birnbaum 1968, in Lord and Novick,
        "Statistical Theories of Mental Test Scores", section 20.2).
        """
        found: FloatArray = self.weight * self.discrimination**2 * (self.chance * (1 - self.chance)).mean(axis=0)
        return found

    def predicted(self, ability: FloatArray) -> FloatArray:
        """Return the fitted probabilities of models of these abilities, float64[models, kinds]."""
        found: FloatArray = expit(np.outer(ability, self.discrimination) - self.difficulty)
        return found


def effective(count: FloatArray, alike: float) -> FloatArray:
    """Return the number of independent comparisons that determine as much as `count` comparisons of one item.

    With an intraclass correlation r, the variance of the mean of n comparisons is (1 + (n - 1) r) times that of
    independent ones (Williams 1982, Applied Statistics 31:144, model II).
    """
    return count / (1 + (count - 1) * alike)


def fit_items(results: ItemResults) -> ItemResponse:
    """Fit the two-parameter logistic model (Birnbaum 1968) by marginal maximum likelihood.

    The EM algorithm of Bock and Aitkin (1981, Psychometrika 46:443) integrates the abilities of many persons out and
    estimates few items. Here models are few and items are many, so the roles are exchanged: items are drawn from a
    bivariate normal distribution of discrimination and difficulty, which Gauss-Hermite quadrature integrates out, and
    the abilities and the distribution are estimated (random items: De Boeck 2008, Psychometrika 73:533). Estimates of
    all items at once would fit the noise of few models (Neyman and Scott 1948, Econometrica 16:1). The nodes of each
    item follow its posterior (Naylor and Smith 1982, Applied Statistics 31:214). Abilities are scaled to mean 0 and
    variance 1 after each step, which also speeds up the convergence (Liu, Rubin and Wu 1998, Biometrika 85:755).

    An item's parameters are the means of its posterior: with few models they are close to those of all items. A
    discrimination can be negative: then able models are wrong more often.

    Comparisons of one item, such as the nine cells of a style-substance matrix, share responses and are not
    independent; they count as `effective`, with the correlation estimated from the residuals.

    Args:
        results: The results of at least `FEWEST` models.
    """
    state = _started(results)
    for _ in range(6):
        state = _converged(state)
        alike = _alike(state)
        if abs(alike - state.alike) < 0.005:
            break
        state = replace(state, alike=alike)
    turned = np.array([1.0, -1.0])  # The difficulty is minus the offset.
    both = np.outer(turned, turned)
    return ItemResponse(
        results,
        state.items[:, 0],
        -state.items[:, 1],
        state.covariance * both,
        state.mean * turned,
        state.spread * both,
        state.ability,
        state.alike,
        *_information(state),
    )


@dataclass(frozen=True)
class _State:
    """Estimates between steps; the log-odds of a right decision are slope x ability + offset.

    `items` are the slope and the offset of each kind, and `covariance` their posterior covariances; `mean` and
    `spread` are those of the distribution of items.
    """

    results: ItemResults
    items: FloatArray
    covariance: FloatArray
    mean: FloatArray
    spread: FloatArray
    ability: FloatArray
    alike: float = 0.0

    @property
    def weight(self) -> FloatArray:
        return effective(self.results.count, self.alike)


def _started(results: ItemResults) -> _State:
    """Start from the log-odds of the models' and the items' shares."""
    weight = results.times * results.count
    level = _log_odds(results.share @ weight / weight.sum(), float(weight.sum()))
    scale = float(level.std())
    offset = _log_odds(results.share.mean(axis=0), len(results.share))
    slope = max(scale, 0.1)
    items = np.column_stack([np.full(len(offset), slope), offset])
    mean = np.array([slope, float(np.average(offset, weights=results.times))])
    spread = np.diag([slope**2 / 4, 1.0])
    covariance = np.repeat(spread[None], len(offset), axis=0)
    return _State(results, items, covariance, mean, spread, (level - level.mean()) / (scale or 1.0))


def _log_odds(share: FloatArray, count: float) -> FloatArray:
    """Return log-odds of shares, with half a success and half a failure more."""
    found: FloatArray = np.log((share * count + 0.5) / ((1 - share) * count + 0.5))
    return found


def _converged(state: _State) -> _State:
    for _ in range(_STEPS):
        before = state
        state = _scaled(_step(_centred(state)))
        change = np.abs(state.ability - before.ability).max() + np.abs(state.mean - before.mean).max()
        if float(change) < _CLOSE:
            break
    return state


def _odds(ability: FloatArray, items: FloatArray) -> FloatArray:
    """float64[models, kinds], the log-odds of right decisions."""
    found: FloatArray = np.outer(ability, items[:, 0]) + items[:, 1]
    return found


def _centred(state: _State) -> _State:
    """Take a Newton step towards the mode of each item's posterior, and compute its curvature there."""
    design = np.column_stack([state.ability, np.ones(len(state.ability))])
    precision = np.linalg.inv(state.spread)
    items = state.items
    for _ in range(2):
        chance = expit(_odds(state.ability, items))
        gradient = (
            state.weight[:, None] * ((state.results.share - chance).T @ design) - (items - state.mean) @ precision
        )
        products = design[:, :, None] * design[:, None, :]
        curvature = precision + np.einsum("k,mk,mij->kij", state.weight, chance * (1 - chance), products, optimize=True)
        covariance = np.linalg.inv(curvature)
        items = items + np.clip(np.einsum("kij,kj->ki", covariance, gradient), -1, 1)
    return replace(state, items=items, covariance=covariance)


def _step(state: _State) -> _State:
    """Integrate the items out, and estimate the abilities and the distribution of items."""
    nodes, posterior = _posterior(state)
    own = posterior * state.results.times[:, None]
    total = float(own.sum())
    mean = np.einsum("kq,kqi->i", own, nodes) / total
    apart = nodes - mean
    mean, spread = _limited(mean, np.einsum("kq,kqi,kqj->ij", own, apart, apart, optimize=True) / total)
    items = np.einsum("kq,kqi->ki", posterior, nodes)
    apart = nodes - items[:, None]
    covariance = np.einsum("kq,kqi,kqj->kij", posterior, apart, apart, optimize=True)
    ability = _abilities(state, nodes, own * state.weight[:, None])
    return replace(state, items=items, covariance=covariance, mean=mean, spread=spread, ability=ability)


def _limited(mean: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distribution of items with at most `_STEEP` as mean slope, and at most this mean as deviation.

    Otherwise two models of opposite taste, such as for long and for short responses, could define an ability that half
    of the items measure with either sign, in which all other models are nearly equal (Heywood 1931, Proceedings of the
    Royal Society A 134:486, for factors). The limits make ability what most items measure.
    """
    slope = min(float(mean[0]), _STEEP)
    deviation = float(np.sqrt(spread[0, 0]))
    factor = np.array([min(1.0, abs(slope) / deviation) if deviation else 1.0, 1.0])
    return np.array([slope, mean[1]]), spread * np.outer(factor, factor) + _LEAST * np.eye(2)


def _posterior(state: _State) -> tuple[FloatArray, FloatArray]:
    """Return nodes float64[kinds, nodes, 2] for slope and offset, and their posterior weights."""
    first, second = (axis.reshape(-1) for axis in np.meshgrid(_NODES, _NODES, indexing="ij"))
    standard = np.column_stack([first, second])
    log = np.add.outer(np.log(_WEIGHTS), np.log(_WEIGHTS)).reshape(-1) + (standard**2).sum(axis=1)
    nodes = state.items[:, None] + np.sqrt(2) * standard @ np.linalg.cholesky(state.covariance).transpose(0, 2, 1)
    apart = nodes - state.mean
    log = log - np.einsum("kqi,ij,kqj->kq", apart, np.linalg.inv(state.spread), apart, optimize=True) / 2
    for ability, share in zip(state.ability, state.results.share, strict=True):
        odds = nodes[:, :, 0] * ability + nodes[:, :, 1]
        log += state.weight[:, None] * (share[:, None] * odds - np.logaddexp(0, odds))
    found = np.exp(log - log.max(axis=1, keepdims=True))
    return nodes, found / found.sum(axis=1, keepdims=True)


def _abilities(state: _State, nodes: FloatArray, weight: FloatArray) -> FloatArray:
    """Take a Newton step for each ability, given the posteriors of the items."""
    found = []
    for ability, share in zip(state.ability.tolist(), state.results.share, strict=True):
        chance = expit(nodes[:, :, 0] * ability + nodes[:, :, 1])
        first = float((weight * nodes[:, :, 0] * (share[:, None] - chance)).sum()) - ability
        second = float((weight * nodes[:, :, 0] ** 2 * chance * (1 - chance)).sum()) + 1
        found.append(ability + min(max(first / second, -1.0), 1.0))
    return np.array(found)


def _information(state: _State) -> tuple[FloatArray, FloatArray]:
    """Return the scores of the items and the observed information on the abilities, with the items integrated out.

    The information is that of known items, less the posterior variance of their scores (Louis 1982, JRSS-B 44:226).
    """
    nodes, posterior = _posterior(state)
    models, kinds = state.results.share.shape
    scores = np.empty((models, kinds))
    observed = np.eye(models)
    for start in range(0, kinds, _BLOCK):
        part = slice(start, start + _BLOCK)
        slope, offset, own = nodes[part, :, 0], nodes[part, :, 1], posterior[part]
        chance = expit(state.ability[:, None, None] * slope + offset)
        weight, times = state.weight[part, None], state.results.times[part, None]
        each = weight * slope * (state.results.share[:, part, None] - chance)
        scores[:, part] = (own * each).sum(axis=2)
        known = (times * own * weight * slope**2 * chance * (1 - chance)).sum(axis=(1, 2))
        apart = ((each - scores[:, part, None]) * np.sqrt(times * own)).reshape(models, -1)
        observed += np.diag(known) - apart @ apart.T
    return scores, observed


def _scaled(state: _State) -> _State:
    """Scale abilities to mean 0 and variance 1, and the items accordingly."""
    middle, scale = float(state.ability.mean()), float(state.ability.std()) or 1.0
    change = np.array([[scale, 0.0], [middle, 1.0]])
    return replace(
        state,
        items=state.items @ change.T,
        covariance=change @ state.covariance @ change.T,
        mean=change @ state.mean,
        spread=change @ state.spread @ change.T,
        ability=(state.ability - middle) / scale,
    )


def _alike(state: _State) -> float:
    """Estimate the correlation of the comparisons of an item from the residuals (Williams 1982, section 4).

    The expected square of a residual is p (1 - p) (1 + (n - 1) r) / n, less what the estimates of the item take up.
    """
    results = state.results
    chance = expit(_odds(state.ability, state.items))
    spread = (chance * (1 - chance)).sum(axis=0)
    # Of two parameters, the share that the results determine, and not the distribution of items.
    taken = 2 - np.einsum("ij,kji->k", np.linalg.inv(state.spread), state.covariance)
    squares = ((results.share - chance) ** 2).sum(axis=0) / np.maximum(1 - taken / len(results.share), 0.1)
    times = results.times * (results.count > 1)
    independent = float((times * spread / results.count).sum())
    together = float((times * spread * (results.count - 1) / results.count).sum())
    if not together:
        return 0.0
    return float(np.clip((float((times * squares).sum()) - independent) / together, 0.0, 1.0))
