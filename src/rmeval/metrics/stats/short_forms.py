"""Short forms: a few items that represent all items of a benchmark, and the error of the number that they give."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.metrics.stats.abilities import abilities_of
from rmeval.metrics.stats.item_response import ItemResponse, ItemResults, fit_items
from rmeval.types import FloatArray, IntArray

__all__ = ["WAYS", "HeldOut", "Short", "choose_items", "chosen_errors", "held_out", "random_errors", "values_of"]

WAYS = ("item response", "results")
"""What makes two items alike: the same difficulty and discrimination, or the same results of the models."""
_FOLDS = 10
_STARTS = 3
_ROUNDS = 25
_DRAWS = 500
_BLOCK = 2_000_000


def _points(response: ItemResponse, way: str) -> FloatArray:
    """float64[kinds, dimensions]: places of items, such that items that are alike are close to each other."""
    if way == "results":
        return response.results.share.T
    found = np.column_stack([response.discrimination, response.difficulty])
    mean = np.average(found, axis=0, weights=response.results.times)
    spread = np.sqrt(np.average((found - mean) ** 2, axis=0, weights=response.results.times))
    return (found - mean) / np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True)
class Short:
    """The items of a short form.

    Attributes:
        items: int64[n], their positions.
        weight: float64[n], the share of the number that each of them represents; the sum is 1.
    """

    items: IntArray
    weight: FloatArray


def choose_items(response: ItemResponse, mass: FloatArray, size: int, way: str, rank: IntArray) -> Short:
    """Choose the items of a short form: the items nearest to the centres of clusters.

    These are the anchor points of tinyBenchmarks (Polo et al. 2024, arXiv:2402.14992, section 3.1; clusters by results
    are those of Vivek et al. 2023, arXiv:2309.08638). An item has the weight of its cluster. Where fewer than `size`
    kinds of items exist, clusters have several items, larger ones more.

    Args:
        response: The fitted items.
        mass: float64[items], the weight of each item in the number; the weights add up to 1.
        size: Number of items to choose.
        way: One of `WAYS`.
        rank: int64[items], the order among items of one kind.
    """
    kind = response.results.kind
    points = _points(response, way)
    heavy: FloatArray = np.round(np.bincount(kind, mass, len(points)), 12)
    label, distance = _clusters(points, heavy, min(size, len(points)))
    counts = np.bincount(label[kind])
    of_cluster: FloatArray = np.bincount(label, heavy).astype(float)
    slots = _slots(of_cluster, counts, size)
    order = np.lexsort((rank, kind, np.round(distance[kind], 9), label[kind]))
    place = np.arange(len(kind)) - np.repeat(np.cumsum(counts) - counts, counts)
    items = np.sort(order[place < np.repeat(slots, counts)])
    cluster = label[kind]
    return Short(items, (np.bincount(cluster, mass) / slots)[cluster[items]])


def _slots(mass: FloatArray, counts: IntArray, size: int) -> IntArray:
    """Return the number of items to take from each cluster: at least one, and more where many share one."""
    slots = np.ones(len(mass), np.int64)
    queue = [(-own, k) for k, own in enumerate(mass.tolist()) if counts[k] > 1]
    heapq.heapify(queue)
    for _ in range(size - len(mass)):
        _, k = heapq.heappop(queue)
        slots[k] += 1
        if counts[k] > slots[k]:
            heapq.heappush(queue, (-float(mass[k]) / int(slots[k]), k))
    return slots


def _clusters(points: FloatArray, mass: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Return the cluster of each point and its distance from the centre, by weighted k-means.

    The algorithm is Lloyd's (1982, IEEE Transactions on Information Theory 28:129) with the starts of Arthur and
    Vassilvitskii (2007, SODA, k-means++); the best of several starts counts. Clusters are numbered without gaps.
    """
    random = np.random.default_rng(0)
    best: tuple[float, IntArray, FloatArray] | None = None
    for _ in range(_STARTS):
        centres = _first_centres(points, mass, size, random)
        label, distance = _nearest(points, centres)
        for _ in range(_ROUNDS):
            total = np.bincount(label, mass, len(centres))
            sums = np.stack([np.bincount(label, mass * own, len(centres)) for own in points.T], axis=1)
            kept = total > 0
            centres = sums[kept] / total[kept, None]
            before = label
            label, distance = _nearest(points, centres)
            if np.array_equal(before, label):
                break
        inertia = float(mass @ distance)
        if best is None or inertia < best[0] - 1e-12:
            best = inertia, np.unique(label, return_inverse=True)[1].reshape(-1), distance
    assert best is not None
    return best[1], best[2]


def _first_centres(points: FloatArray, mass: FloatArray, size: int, random: np.random.Generator) -> FloatArray:
    chosen = [int(random.choice(len(points), p=mass / mass.sum()))]
    distance = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < size and float(mass @ distance) > 1e-12:
        pull = mass * distance
        chosen.append(int(random.choice(len(points), p=pull / pull.sum())))
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _nearest(points: FloatArray, centres: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the nearest centre of each point, and the squared distance from it."""
    label = np.empty(len(points), np.int64)
    found = np.empty(len(points))
    size = max(1, _BLOCK // len(centres))
    for start in range(0, len(points), size):
        own = points[start : start + size]
        squares = (own**2).sum(axis=1)[:, None] - 2 * own @ centres.T + (centres**2).sum(axis=1)
        near = np.round(squares, 9).argmin(axis=1)
        label[start : start + size] = near
        found[start : start + size] = np.maximum(squares[np.arange(len(own)), near], 0)
    return label, found


@dataclass(frozen=True)
class Values:
    """The number on all items, estimated from a short form; float64[models] each.

    Attributes:
        weighted: The weighted mean of the short form's items.
        predicted: The mean of the short form's items and of the predictions for all others.
    """

    weighted: FloatArray
    predicted: FloatArray

    def blend(self, share: float | FloatArray) -> FloatArray:
        """Return the estimate with this share of the predictions."""
        found: FloatArray = (1 - share) * self.weighted + share * self.predicted
        return found


def values_of(response: ItemResponse, mass: FloatArray, short: Short, share: FloatArray) -> Values:
    """Estimate models' numbers on all items from their results on a short form.

    The weighted mean of anchor points, and the prediction by item response (Polo et al. 2024, sections 3.1 and 3.2,
    p-IRT): results on the items of the short form, and fitted probabilities at the estimated ability for the others.

    Args:
        response: The items, fitted to other models.
        mass: float64[items], the weight of each item in the number.
        short: The short form.
        share: float64[models, n], the models' results on its items.
    """
    kind = response.results.kind
    ability = abilities_of(response, share, kind[short.items])
    rest = mass.copy()
    rest[short.items] = 0
    others = np.bincount(kind, rest, len(response.difficulty))
    return Values(share @ short.weight, share @ mass[short.items] + response.predicted(ability) @ others)


@dataclass(frozen=True)
class HeldOut:
    """Errors of a short form on models that were left out when it was chosen and the items were fitted.

    Attributes:
        way: What made two items alike; see `WAYS`.
        errors: float64[models], estimate minus the number on all items, in the order of the results.
        share: The share of the predictions in the estimate for a new model, chosen from all models.
    """

    way: str
    errors: FloatArray
    share: float

    @property
    def error(self) -> float:
        """The root mean square error."""
        return float(np.sqrt(np.mean(self.errors**2)))


def held_out(results: ItemResults, mass: FloatArray, rank: IntArray, size: int) -> list[HeldOut]:
    """Return the errors of short forms on held-out models, for each way of choosing items.

    In each of ten folds (fewer models: one fold each), items are fitted and chosen without the models of the fold. The
    share of the predictions in the estimate is gp-IRT's lambda (Polo et al. 2024, section 3.3), but it is chosen as the
    share with the smallest error for the other models, so that a prediction that does not fit the models has no weight.

    Args:
        results: The models' results.
        mass: float64[items], the weight of each item in the number.
        rank: int64[items], the order among items of one kind.
        size: Number of items of the short form.
    """
    models = len(results.share)
    folds = min(models, _FOLDS)
    whole = results.share[:, results.kind] @ mass
    weighted, predicted = (np.empty((len(WAYS), models)) for _ in range(2))
    for fold in range(folds):
        out = np.arange(fold, models, folds)
        response = fit_items(results.without(out))
        for number, way in enumerate(WAYS):
            short = choose_items(response, mass, size, way, rank)
            found = values_of(response, mass, short, results.share[out][:, results.kind[short.items]])
            weighted[number, out], predicted[number, out] = found.weighted - whole[out], found.predicted - whole[out]
    return [HeldOut(way, *_blended(own, other)) for way, own, other in zip(WAYS, weighted, predicted, strict=True)]


def chosen_errors(found: Sequence[HeldOut]) -> FloatArray:
    """Return the errors with the way that has the smaller error for the other models, float64[models].

    The smaller error of both ways would be too small an estimate for a new model, since it is chosen by its size.
    """
    errors = np.stack([one.errors for one in found])
    squares = errors**2
    others = squares.sum(axis=1, keepdims=True) - squares
    chosen: FloatArray = errors[others.argmin(axis=0), np.arange(errors.shape[1])]
    return chosen


def _blended(weighted: FloatArray, predicted: FloatArray) -> tuple[FloatArray, float]:
    """Return the errors with the share of the predictions that is best for the other models, and the best for all."""
    step = predicted - weighted
    product, square = -weighted * step, step**2
    others = np.clip((product.sum() - product) / np.maximum(square.sum() - square, 1e-15), 0, 1)
    best = float(np.clip(product.sum() / max(float(square.sum()), 1e-15), 0, 1))
    return weighted + others * step, best


def random_errors(results: ItemResults, mass: FloatArray, size: int) -> FloatArray:
    """Return the root mean square error over the models of each of 500 random samples of items.

    The estimate is the mean over the sample, weighted by the items' weights in the number.

    Args:
        results: The models' results.
        mass: float64[items], the weight of each item in the number.
        size: Number of items of a sample.
    """
    random = np.random.default_rng(0)
    # Items are drawn in an order that their results determine.
    order = np.lexsort((np.round(mass, 12), results.kind))
    kind, mass = results.kind[order], mass[order]
    whole = results.share[:, kind] @ mass
    found = []
    for _ in range(_DRAWS):
        drawn = random.choice(len(kind), size, replace=False)
        estimate = results.share[:, kind[drawn]] @ mass[drawn] / mass[drawn].sum()
        found.append(float(np.sqrt(np.mean((estimate - whole) ** 2))))
    return np.array(found)
