"""PPE's ranking metrics: whether a reward model ranks the writers of the responses as people do (arXiv 2410.14872)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.records import make_record
from rmeval.metrics.stats.bootstrap import bootstrap_interval, bootstrap_random
from rmeval.metrics.stats.correlation import kendall, pearson, spearman
from rmeval.metrics.stats.ratings import bradley_terry
from rmeval.types import FloatArray, IntArray, Record, ScoreRule

__all__ = [
    "METRICS",
    "REPLICATES",
    "Battles",
    "battles_of",
    "brier_score",
    "confidence_agreement",
    "ranking_records",
    "row_pearson",
    "separated",
]

METRICS = ("row_pearson", "spearman", "kendall", "confidence_agreement", "separability", "brier")
REPLICATES = 1000
"""Number of resamples of the battles, as in goya4140/jev-reward-model-evaluation."""
METHOD = f"cluster-bootstrap({REPLICATES} replicates, centred on the value, expanded percentile, seed 0)"
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Battles:
    """Battles: pairs of responses by two named models, with the decisions of people and of a reward model.

    Attributes:
        names: The models.
        first: int64[n], position of the first response's model in `names`.
        second: int64[n], position of the second response's model; never the same as `first`.
        human: float64[n]: 1 if people preferred the first response, 0 for the second, 0.5 for neither.
        judged: float64[n]: the same for the reward model; NaN if a score is missing.
        item: int64[n], position of the item.
    """

    names: tuple[str, ...]
    first: IntArray
    second: IntArray
    human: FloatArray
    judged: FloatArray
    item: IntArray


def battles_of(items: ItemTable, evidence: EvidenceTable) -> Battles:
    """Return the battles of items with two responses from different sources and one comparison between them."""
    names: dict[str, int] = {}
    found: list[tuple[IntArray, FloatArray]] = []
    for (sides, winner), positions in items.by(
        lambda shape: (
            tuple(one.source for one in shape.responses),
            tuple((comparison.members, comparison.gold) for comparison in shape.comparisons),
        )
    ):
        if len(sides) != 2 or None in sides or sides[0] == sides[1] or len(winner) != 1:
            continue
        members, gold = winner[0]
        vote = 0.5 if gold is None else float(members[gold] == 0)
        codes = [names.setdefault(str(side), len(names)) for side in sides]
        rows = np.broadcast_to(np.array(codes)[:, None], (2, len(positions)))
        found.append((np.stack([positions, *rows]), np.full(len(positions), vote)))
    columns = np.concatenate([rows for rows, _ in found], axis=1) if found else np.empty((3, 0), np.int64)
    human = np.concatenate([own for _, own in found]) if found else np.empty(0)
    order = np.argsort(columns[0], kind="stable")
    item, first, second = columns[:, order].astype(np.int64)
    begin = items.offsets[item]
    one, other = evidence.scores[begin], evidence.scores[begin + 1]
    # Compare instead of subtract: for two infinities the result must be that of `>`.
    judged = np.where(one > other, 1.0, np.where(one < other, 0.0, 0.5))
    judged[np.isnan(one) | np.isnan(other)] = np.nan
    for place, position in enumerate(item.tolist()) if evidence.beats else ():
        if (matrix := evidence.beats.get(position)) is not None:
            judged[place] = np.nan if np.isnan(matrix[0, 1]) else 0.5 + 0.5 * np.sign(matrix[0, 1] - 0.5)
    return Battles(tuple(names), first, second, human[order], judged, item)


class _Wins(NamedTuple):
    """Tables of wins float64[..., models, models] of the row against the column; a draw is half a win for each."""

    human: FloatArray
    judged: FloatArray


def _wins(battles: Battles, cluster: Codes | IntArray, draws: IntArray) -> _Wins:
    """Return the tables of wins, in which each cluster counts as often as in int64[resamples, clusters]."""
    models = len(battles.names)
    # One count for each pair of models, human decision and model decision; the last decision means a missing score.
    judged = np.where(np.isnan(battles.judged), 3, 2 * battles.judged)
    cell = ((battles.first * models + battles.second) * 3 + (2 * battles.human).astype(int)) * 4 + judged.astype(int)
    counts = np.stack([np.bincount(cell, row[cluster].astype(float), models * models * 12) for row in draws])
    counts = counts.reshape(len(draws), models, models, 3, 4)
    by_human, by_judged = counts.sum(axis=-1), counts.sum(axis=-2)[..., :3]
    credit = np.array([0.0, 0.5, 1.0])
    return _Wins(
        *(own @ credit + np.swapaxes(own @ (1 - credit), -1, -2) for own in (by_human, by_judged)),
    )


def row_pearson(human: FloatArray, judged: FloatArray) -> FloatArray:
    """Compute the row-wise Pearson correlation of win rates, a metric of Frick et al. 2024 (arXiv 2410.14872).

    The definition is that of a port of PPE's scorer (`_ppe_ranking_metrics` of `jev_eval/report.py` in
    goya4140/jev-reward-model-evaluation): for each model, Pearson's correlation between its win rates against the other
    models according to people and according to the reward model; the result is the mean. A draw is half a win; pairs
    without battles and rows without variance are excluded.

    Args:
        human: float64[..., models, models], wins of the row against the column.
        judged: The same for the reward model.

    Returns:
        float64[...]; NaN if all rows are excluded.
    """
    rates = []
    for wins in (human, judged):
        games = wins + np.swapaxes(wins, -1, -2)
        met = (games > 0) & ~np.eye(wins.shape[-1], dtype=bool)
        rates.append(np.where(met, wins / np.where(met, games, 1.0), np.nan))
    rows = pearson(*rates)
    left = (~np.isnan(rows)).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        found: FloatArray = np.where(np.isnan(rows), 0.0, rows).sum(axis=-1) / left
    return found


def separated(ratings: FloatArray) -> FloatArray:
    """Find models whose 95% intervals do not overlap (Li et al. 2024, arXiv 2406.11939, section 3).

    Args:
        ratings: float64[replicates, models], ratings over resampled battles.

    Returns:
        float64[models, models]: 1 where the row is above the column, -1 where it is below, 0 where the intervals
        overlap.
    """
    low, high = np.quantile(ratings, [0.025, 0.975], axis=0)
    above = (low[:, None] > high[None, :]).astype(float)
    found: FloatArray = above - above.T
    return found


def confidence_agreement(human: FloatArray, judged: FloatArray) -> float:
    """Compute the agreement with confidence of two tables of `separated` (Li et al. 2024, arXiv 2406.11939, section 3).

    A pair of models counts 1 if both tables separate it in the same order, -1 in opposite orders, 0 if only people's
    votes separate it. The mean is over the pairs that people's votes separate. This denominator is inferred from
    published numbers: all 29 numbers of PPE's authors (LMArena's blog, 20 October 2024) are multiples of 1/132, and
    none is a multiple of 1/190, where 190 is the number of pairs of their 20 models. NaN if people's votes separate no
    pair.
    """
    pairs = np.triu_indices(len(human), 1)
    sure = human[pairs] != 0
    return float((human[pairs] * judged[pairs])[sure].mean()) if sure.any() else np.nan


def brier_score(human: FloatArray, ratings: FloatArray) -> float:
    """Compute the pair rank Brier score (Li et al. 2024, arXiv 2406.11939, section 3); lower is better.

    The score is the mean squared error over all pairs of models (Brier 1950, Mon. Weather Rev. 78:1). The reward
    model's forecast that one model is above another is Phi(mean / deviation) of the difference of their ratings over
    resampled battles; the outcome is their order by the ratings from people's votes (one half if these are equal).

    Args:
        human: float64[models], ratings by people's votes.
        ratings: float64[replicates, models], ratings by the reward model's decisions.
    """
    one, other = np.triu_indices(len(human), 1)
    apart = ratings[:, one] - ratings[:, other]
    mean, deviation = apart.mean(axis=0), apart.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        forecast = np.where(mean == 0, 0.5, ndtr(mean / deviation))
    happened = 0.5 + 0.5 * np.sign(human[one] - human[other])
    return float(((forecast - happened) ** 2).mean())


def ranking_records(
    benchmark: str, rule: ScoreRule, items: ItemTable, evidence: EvidenceTable, formula: str, intervals: bool = True
) -> Iterator[Record]:
    """Create the records of `METRICS`, which compare people's and a reward model's rankings of the responses' writers.

    All battles count, including human ties; equal scores are a draw. A battle without a score is a draw if the score
    rule counts failures as losses; otherwise it is excluded from the reward model's ranking. If the reward model ranks
    all models equally, all correlations are 0. Ratings are Bradley and Terry's, see `bradley_terry`. Whole problems are
    resampled. `confidence_agreement`, `separability` (the share of pairs of models that `separated` reports for the
    reward model) and `brier` are computed from the resamples and have no interval.

    Args:
        benchmark: Benchmark id.
        rule: The score rule, for failures.
        items: The items.
        evidence: The reward model's evidence.
        formula: Prefix of the formulas' names; the metric and a version follow.
        intervals: Whether to compute confidence intervals.

    Yields:
        The records that can be computed; nothing for fewer than three models, or if people's votes rank all models
        equally.
    """
    battles = battles_of(items, evidence)
    if len(battles.names) < 3 or np.isnan(battles.judged).all():
        return
    counted = _counted(items, battles, evidence.variant)
    if rule.failure != "exclude":
        battles = replace(battles, judged=np.where(np.isnan(battles.judged), 0.5, battles.judged))
    cluster = np.unique(items.cluster[battles.item], return_inverse=True)[1]
    clusters = int(cluster.max()) + 1
    wins = _wins(battles, cluster, np.ones((1, clusters), np.int64))
    human, judged = bradley_terry(wins.human[0]), bradley_terry(wins.judged[0])
    if not np.ptp(human):
        return
    spread = _replicates(battles, cluster, clusters)
    apart = [separated(own) for own in (spread.human, spread.judged)]
    values: dict[str, tuple[float, FloatArray | None]] = {
        "row_pearson": (float(row_pearson(*wins)[0]), spread.row_pearson),
        "spearman": (float(spearman(human, judged)), spearman(spread.human, spread.judged)),
        "kendall": (float(kendall(human, judged)), kendall(spread.human, spread.judged)),
        "confidence_agreement": (confidence_agreement(*apart), None),
        "separability": (float(np.abs(apart[1][np.triu_indices(len(human), 1)]).mean()), None),
        "brier": (brier_score(human, spread.judged), None),
    }
    for metric in METRICS:
        value, replicates = values[metric]
        if np.isnan(value):
            if replicates is None:
                continue
            value = 0.0
        interval = None
        if intervals and replicates is not None:
            interval = bootstrap_interval(value, _centred(value, replicates), clusters, proportion=False)[0]
        name = f"{formula}/{metric}@1"
        yield make_record(benchmark, rule, metric, "all", value, counted, name, (interval, METHOD))


def _centred(value: float, replicates: FloatArray) -> FloatArray:
    """Shift correlations over resamples so that their mean is the value, and clip them to -1 and 1.

    A resample repeats battles and thus contains less information about both rankings, so its correlations are lower.
    Only their spread estimates how much the value varies between samples of battles.
    """
    found: FloatArray = np.clip(replicates + (value - replicates.mean()), -1.0, 1.0)
    return found


class _Replicates(NamedTuple):
    """Ratings by people and by the model, float64[replicates, models], and correlations, float64[replicates]."""

    human: FloatArray
    judged: FloatArray
    row_pearson: FloatArray


def _replicates(battles: Battles, cluster: Codes | IntArray, clusters: int) -> _Replicates:
    """Compute ratings and row-wise correlations over resampled problems, in blocks."""
    random = bootstrap_random()
    block = max(1, _BLOCK // max(len(battles.first), 12 * len(battles.names) ** 2))
    found = []
    for start in range(0, REPLICATES, block):
        drawn = random.integers(clusters, size=(min(block, REPLICATES - start), clusters))
        draws = np.stack([np.bincount(row, minlength=clusters) for row in drawn])
        wins = _wins(battles, cluster, draws)
        found.append((bradley_terry(wins.human), bradley_terry(wins.judged), row_pearson(*wins)))
    return _Replicates(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _counted(items: ItemTable, battles: Battles, variant: str) -> Outcomes:
    """Return outcomes with one entry per battle, for the counts of a record."""
    held = np.zeros(len(items), bool)
    held[battles.item] = True
    every = Outcomes(
        battles.item.astype(np.int32),
        np.zeros(len(battles.item), np.int32),
        ("battle",),
        battles.judged,
        battles.judged == 0.5,
        np.isnan(battles.judged),
        items.subset,
        items.subsets,
        items.cluster,
        variant,
    )
    return every.select(held)
