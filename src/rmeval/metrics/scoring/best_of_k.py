"""Best-of-k: quality of the response with the highest score among k, and separation of right and wrong responses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.records import make_record
from rmeval.metrics.stats.bootstrap import REPLICATES, bootstrap_interval, bootstrap_means, bootstrap_random
from rmeval.types import FloatArray, IntArray, Record, ScoreRule

__all__ = ["best_of_k", "curve_records", "pooled_auc", "scaled", "top_chances"]

_BLOCK = 4_000_000


def top_chances(size: int, numbers: Sequence[int]) -> FloatArray:
    """Compute the probability that each of the responses, sorted from the worst, is the best of k drawn at random.

    The response at position r is the best of k with probability C(r, k-1) / C(size, k). From the last position
    downwards, a probability is the one above it times (r - k + 2) / (r + 1), so that no binomial coefficient overflows.

    Args:
        size: Number of responses.
        numbers: The numbers k, from 1 to `size`.

    Returns:
        float64[numbers, size].
    """
    k = np.array(numbers, np.int64)[:, None]
    place = np.arange(size - 2, -1, -1)[None, :]
    last: FloatArray = k / size
    steps = np.concatenate([last, np.maximum(place - k + 2, 0) / (place + 1)], axis=1)
    found: FloatArray = np.cumprod(steps, axis=1)[:, ::-1]
    return found


def best_of_k(scores: FloatArray, quality: FloatArray, numbers: Sequence[int] | None = None) -> FloatArray:
    """Compute the expected quality of the best-scored response among k drawn at random without replacement.

    With the n responses sorted by score, the response at position r (from 0) is the best of k with probability C(r,
    k-1) / C(n, k); equal scores share the probability. This equals the average over all orders of the responses if the
    first maximum is taken, without sampling. With the quality itself as scores, it is the upper limit for any reward
    model.

    Args:
        scores: float64[items, n], without NaN.
        quality: float64[items, n].
        numbers: The numbers k, from 1 to n; by default all of them.

    Returns:
        float64[items, numbers].
    """
    items, size = scores.shape
    order = np.argsort(scores, axis=1, kind="stable")
    scores, quality = np.take_along_axis(scores, order, axis=1), np.take_along_axis(quality, order, axis=1)
    new = np.ones((items, size), bool)
    new[:, 1:] = scores[:, 1:] != scores[:, :-1]
    group = np.cumsum(new) - 1
    shared = (np.bincount(group, quality.ravel()) / np.bincount(group))[group].reshape(items, size)
    chance = top_chances(size, range(1, size + 1) if numbers is None else numbers)
    found: FloatArray = shared @ chance.T
    return found


def scaled(scores: FloatArray) -> FloatArray:
    """Scale scores float64[items, n] to the range from 0 to 1 within each item; one half if all are equal.

    A missing or infinite score counts as the lowest or highest finite score of its item.
    """
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    flat = ~(low < high)
    low, high = np.where(flat, 0.0, low), np.where(flat, 1.0, high)
    found: FloatArray = (np.clip(np.where(np.isnan(scores), low, scores), low, high) - low) / (high - low)
    return np.where(flat, 0.5, found)


def pooled_auc(scores: FloatArray, right: Mask) -> float:
    """Compute the area under the ROC curve: the probability that a right response scores above a wrong one.

    Ties count one half. This is Mann and Whitney's U divided by the number of pairs (Bamber 1975, J. Math. Psychol.
    12:387), over the responses of all items together. NaN if all are right or all are wrong.
    """
    wrong = np.sort(scores[~right])
    if not len(wrong) or len(wrong) == scores.size:
        return np.nan
    below = np.searchsorted(wrong, scores[right], "left") + np.searchsorted(wrong, scores[right], "right")
    return float(below.mean() / (2 * len(wrong)))


def _auc_replicates(
    scores: FloatArray, right: Mask, cluster: IntArray, random: np.random.Generator
) -> tuple[float, FloatArray]:
    """Compute the area, and float64[replicates] over resampled clusters, given int64[items], numbered without gaps.

    A right response of one cluster and a wrong response of another count as often as the product of the numbers of
    draws of the two clusters.
    """
    clusters = int(cluster.max()) + 1
    owner = np.repeat(cluster, scores.shape[1])
    values, place = np.unique(scores.ravel(), return_inverse=True)
    good = right.ravel()
    counts = [np.bincount(owner[mask], minlength=clusters).astype(float) for mask in (good, ~good)]
    holds = csr_array((np.ones(int(good.sum())), (owner[good], place[good])), shape=(clusters, len(values)))
    won = np.empty((clusters, clusters))
    block = max(1, _BLOCK // len(values))
    for start in range(0, clusters, block):
        columns = min(block, clusters - start)
        inside = ~good & (owner >= start) & (owner < start + columns)
        cell = place[inside] * columns + owner[inside] - start
        wrong = np.bincount(cell, minlength=len(values) * columns).reshape(len(values), columns)
        below: FloatArray = np.cumsum(wrong, axis=0) - wrong / 2
        won[:, start : start + columns] = np.asarray(holds @ below)
    drawn = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=REPLICATES).astype(float)
    with np.errstate(invalid="ignore"):
        spread: FloatArray = ((drawn @ won) * drawn).sum(axis=1) / ((drawn @ counts[0]) * (drawn @ counts[1]))
        return float(won.sum() / (counts[0].sum() * counts[1].sum())), spread


class _Responses(NamedTuple):
    """Positions of the items of a subset that count, and their scores and quality, float64[items, n]."""

    items: IntArray
    scores: FloatArray
    quality: FloatArray


def _responses(items: ItemTable, evidence: EvidenceTable, name: str, rule: ScoreRule) -> _Responses:
    own = np.flatnonzero(items.subset == items.subsets.index(name))
    gold = [[np.nan if one.gold is None else one.gold for one in shape.responses] for shape in items.shapes]
    quality = np.array([gold[code] for code in items.shape[own].tolist()])
    scores = evidence.scores[items.offsets[own][:, None] + np.arange(quality.shape[1])]
    if rule.failure == "exclude":
        known = ~np.isnan(scores).any(axis=1)
        return _Responses(own[known], scores[known], quality[known])
    return _Responses(own, scores, quality)


def curve_records(
    benchmark: str,
    rule: ScoreRule,
    items: ItemTable,
    evidence: EvidenceTable,
    subsets: Sequence[str],
    shown: Sequence[int],
    intervals: bool = True,
) -> Iterator[Record]:
    """Create the records of best-of-K curves: the quality of the best-scored response (Frick et al. 2024, 2410.14872).

    The definitions are those of a port of PPE's scorer (`_ppe_correctness_metrics` of `jev_eval/report.py` in
    goya4140/jev-reward-model-evaluation), with one difference: the port draws 100 orders of the responses, so its
    `max_score` and `loss` contain the noise of single orders; here they are computed from the mean over all orders. The
    curve is the mean of `best_of_k` over items; the ideal curve uses the quality itself as scores.

    * `best_of_K` for each K of `shown`: the curve at K;
    * `end_score`: the curve at its end, where K is the number of responses;
    * `max_score`: its maximum; if this is above the end, more responses make the selected one worse;
    * `loss`: the mean over K of the squared distance to the ideal curve; lower is better;
    * `auc`: `pooled_auc` of the scores from `scaled`; a response is right if its quality is above one half.

    A missing score is never the highest. An item without any score gets the quality of its worst response if the score
    rule counts failures as losses; otherwise it is excluded. Whole problems are resampled. The number on `all` is the
    unweighted mean over the subsets, if each has items.

    Args:
        benchmark: Benchmark id.
        rule: The score rule, for failures; under every rule equal scores share.
        items: The items; all their responses have gold, and items of a subset have equally many.
        evidence: The reward model's evidence.
        subsets: The subsets, in order.
        shown: Numbers of responses K at which to report the curve.
        intervals: Whether to compute confidence intervals.

    Yields:
        The records by subset, then those on `all`; nothing for a model without scores, such as one that only compares
        responses.
    """
    if np.isnan(evidence.scores).all():
        return
    there = {name: _readings(items, evidence, name, rule) for name in subsets if name in items.counts}
    parts = {name: own for name, own in there.items() if len(own[0].items)}
    counted = _counted(items, [one for own in parts.values() for one in own], evidence.variant)
    random = bootstrap_random() if intervals else None
    numbers = [_averaged(own, items.cluster[own[0].items], shown, random) for own in parts.values()]
    scopes = [(name, counted.within(name)) for name in parts]
    clusters = [part.n_clusters for _, part in scopes]
    if len(parts) == len(subsets):
        # The number of problems for which a mean would have the variance of this mean of parts.
        clusters.append(int(len(parts) ** 2 / sum(1 / count for count in clusters)))
        scopes.append(("all", counted))
        numbers.append(_mean(numbers))
    for (scope, part), count, (values, spread) in zip(scopes, clusters, numbers, strict=True):
        for metric, value in values.items():
            if not np.isnan(value):
                interval = bootstrap_interval(value, spread.get(metric, np.empty(0)), count)
                formula = f"{benchmark}/{'best-of-k' if metric.startswith('best') else metric}@1"
                yield make_record(benchmark, rule, metric, scope, value, part, formula, interval, 1.0)


def _readings(items: ItemTable, evidence: EvidenceTable, name: str, rule: ScoreRule) -> list[_Responses]:
    """Return the scores of each reading on the items of a subset that count in every reading."""
    own = items.subset == items.subsets.index(name)
    found = [
        _responses(items, one, name, rule) for one in evidence.readings or (evidence,) if (one.covered | ~own).all()
    ]
    if len(found) == 1:
        return found
    kept = set.intersection(*(set(one.items.tolist()) for one in found))
    inside = [np.array([item in kept for item in one.items.tolist()], bool) for one in found]
    return [
        _Responses(one.items[mask], one.scores[mask], one.quality[mask])
        for one, mask in zip(found, inside, strict=True)
    ]


def _averaged(
    readings: Sequence[_Responses], problems: Codes, shown: Sequence[int], random: np.random.Generator | None
) -> _Numbers:
    """Compute the mean of the numbers of several readings, over the same resampled problems."""
    if len(readings) == 1:
        return _numbers(readings[0], problems, shown, random)
    generators = [*(deepcopy(random) for _ in readings[1:]), random]
    return _mean([_numbers(own, problems, shown, one) for own, one in zip(readings, generators, strict=True)])


_Numbers: TypeAlias = tuple[dict[str, float], dict[str, FloatArray]]
"""Numbers by metric, and the same numbers over resampled problems."""


def _mean(numbers: Sequence[_Numbers]) -> _Numbers:
    """Compute the unweighted mean of the subsets' numbers."""
    values = {metric: float(np.mean([one[0][metric] for one in numbers])) for metric in numbers[0][0]}
    spread = {metric: np.mean([one[1][metric] for one in numbers], axis=0) for metric in numbers[0][1]}
    return values, spread


def _numbers(own: _Responses, problems: Codes, shown: Sequence[int], random: np.random.Generator | None) -> _Numbers:
    """Compute a subset's numbers by metric, and over resampled problems if a generator is given."""
    size = own.scores.shape[1]
    cluster = np.unique(problems, return_inverse=True)[1]
    picked = best_of_k(np.where(np.isnan(own.scores), -np.inf, own.scores), own.quality)
    nothing = np.isnan(own.scores).all(axis=1)
    picked[nothing] = own.quality[nothing].min(axis=1, keepdims=True)
    both = np.concatenate([picked, best_of_k(own.quality, own.quality)], axis=1)
    right, even = own.quality > 0.5, scaled(own.scores)
    values = {metric: float(value[0]) for metric, value in _of_curves(both.mean(axis=0)[None], size, shown).items()}
    if random is None:
        return values | {"auc": pooled_auc(even, right)}, {}
    spread = _of_curves(bootstrap_means(both, cluster, random), size, shown)
    auc, spread["auc"] = _auc_replicates(even, right, cluster, random)
    return values | {"auc": auc}, spread


def _of_curves(curves: FloatArray, size: int, shown: Sequence[int]) -> dict[str, FloatArray]:
    """Compute the numbers of float64[..., 2 size], which contains a curve and then the ideal curve."""
    curve, ideal = curves[:, :size], curves[:, size:]
    found = {f"best_of_{k}": curve[:, k - 1] for k in shown if k < size}
    found |= {"end_score": curve[:, -1], "max_score": curve.max(axis=1), "loss": ((ideal - curve) ** 2).mean(axis=1)}
    return found


def _counted(items: ItemTable, parts: Iterable[_Responses], variant: str) -> Outcomes:
    """Return outcomes with one entry per item that counts; tied if right and wrong responses share the top score."""
    kept, tied, failed = (np.zeros(len(items), bool) for _ in range(3))
    for own in parts:
        scores = np.where(np.isnan(own.scores), -np.inf, own.scores)
        top = scores == scores.max(axis=1, keepdims=True)
        best, worst = np.where(top, own.quality, -np.inf).max(axis=1), np.where(top, own.quality, np.inf).min(axis=1)
        kept[own.items] = True
        tied[own.items] |= best > worst
        failed[own.items] |= np.isnan(own.scores).any(axis=1)
    every = Outcomes(
        np.arange(len(items), dtype=np.int32),
        np.zeros(len(items), np.int32),
        ("best-of-k",),
        np.zeros(len(items)),
        tied,
        failed,
        items.subset,
        items.subsets,
        items.cluster,
        variant,
    )
    return every.select(kept)
