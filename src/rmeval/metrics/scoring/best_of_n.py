"""Best-of-N with any number of responses per prompt: quality of the picked response as comparisons of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask
from rmeval.metrics.composition import Composition, Counts, Measure, pooled
from rmeval.metrics.outcomes import Outcomes, over_readings
from rmeval.metrics.scoring.aggregates import composed_records
from rmeval.metrics.scoring.best_of_k import best_of_k
from rmeval.types import FloatArray, IntArray, Record, ScoreRule

__all__ = [
    "BEST_PICKED",
    "LARGEST_QUALITY",
    "Picks",
    "best_of_n_composition",
    "best_of_n_outcomes",
    "by_size",
    "limit_records",
    "picks_of",
    "powers_of_two",
    "quality_of",
    "ragged_curves",
]

BEST_PICKED = "best-picked"
LARGEST_QUALITY = 1e50
"""Largest absolute value of a quality: the fourth powers that tests need are then numbers too."""
_OF_N = "best-of-"
_RANDOM, _ORACLE = "best-of-1", "oracle-of-"


def powers_of_two(most: int, least: int = 1) -> list[int]:
    """Return the powers of two from `least` up to `most`, and `most` itself."""
    found = [least]
    while 2 * found[-1] <= most:
        found.append(2 * found[-1])
    return [*found, *([most] if found[-1] < most else [])]


def by_size(offsets: Codes | IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the prompts with equally many responses, int64[k], and the places of their responses, int64[k, n]."""
    starts, sizes = offsets[:-1].astype(np.int64), np.diff(offsets)
    for size in np.unique(sizes).tolist():
        own = np.flatnonzero(sizes == size)
        yield own, starts[own][:, None] + np.arange(size)


def ragged_curves(
    scores: FloatArray, quality: FloatArray, offsets: Codes | IntArray, numbers: Sequence[int]
) -> FloatArray:
    """Compute the expected quality of the best-scored response among n drawn at random, see `best_of_k`.

    A missing score is never the highest. A prompt without any score gets the quality of its worst response, since a
    reward model that fails has picked nothing.

    Args:
        scores: float64[responses]; NaN for a missing score.
        quality: float64[responses], without NaN.
        offsets: int[prompts + 1].
        numbers: The numbers n.

    Returns:
        float64[prompts, numbers]; NaN for a prompt with fewer than n responses.
    """
    found: FloatArray = np.full((len(offsets) - 1, len(numbers)), np.nan)
    for own, places in by_size(offsets):
        fitting = [place for place, number in enumerate(numbers) if number <= places.shape[1]]
        if fitting:
            known, good = scores[places], quality[places]
            curves = best_of_k(np.where(np.isnan(known), -np.inf, known), good, [numbers[k] for k in fitting])
            nothing = np.isnan(known).all(axis=1)
            curves[nothing] = good[nothing].min(axis=1, keepdims=True)
            found[own[:, None], np.array(fitting)] = curves
    return found


class Picks(NamedTuple):
    """The response with the highest score of each prompt.

    Attributes:
        place: int64[prompts], place of the first response with the highest score; -1 for a prompt without any score.
        equal: int64[prompts], number of responses with the highest score.
        best: float64[prompts], share of these responses whose quality is the highest of the prompt.
        tied: bool[prompts], whether these responses differ in quality.
        missing: int64[prompts], number of missing scores.
    """

    place: IntArray
    equal: IntArray
    best: FloatArray
    tied: Mask
    missing: IntArray


def picks_of(scores: FloatArray, quality: FloatArray, offsets: Codes | IntArray) -> Picks:
    """Find the picks among all responses of each prompt; the arguments are those of `ragged_curves`."""
    count = len(offsets) - 1
    place, equal, missing = (np.zeros(count, np.int64) for _ in range(3))
    best, tied = np.zeros(count), np.zeros(count, bool)
    for own, places in by_size(offsets):
        known, good = scores[places], quality[places]
        lost = np.isnan(known)
        filled = np.where(lost, -np.inf, known)
        top = (filled == filled.max(axis=1, keepdims=True)) & ~lost
        there = top.any(axis=1)
        place[own] = np.where(there, places[:, 0] + top.argmax(axis=1), -1)
        equal[own], missing[own] = top.sum(axis=1), lost.sum(axis=1)
        right = good == good.max(axis=1, keepdims=True)
        best[own] = (top & right).sum(axis=1) / np.maximum(equal[own], 1)
        high, low = np.where(top, good, -np.inf).max(axis=1), np.where(top, good, np.inf).min(axis=1)
        tied[own] = there & (high > low)
    return Picks(place, equal, best, tied, missing)


def quality_of(items: ItemTable) -> FloatArray:
    """Return the quality of each response, float64[responses]; NaN where it is unknown."""
    gold = [[np.nan if one.gold is None else one.gold for one in shape.responses] for shape in items.shapes]
    found: FloatArray = np.array([value for code in items.shape.tolist() for value in gold[code]], np.float64)
    return found


def _rated(items: ItemTable, quality: FloatArray) -> tuple[Mask, int]:
    """Return the items whose responses all have a quality, bool[items], and their smallest number of responses."""
    owner = np.repeat(np.arange(len(items)), items.sizes)
    known = np.bincount(owner, np.isnan(quality), len(items)) == 0
    return known, int(items.sizes[known].min()) if known.any() else 0


def best_of_n_outcomes(items: ItemTable, evidence: EvidenceTable, rule: ScoreRule) -> Outcomes:
    """Compute the expected quality of the pick among n, for powers of two n and the largest N that all items have.

    Each number n is a comparison of each item with the tag `best-of-<n>`, whose credit is the quality, so that all
    numbers are of the same items. Another one with the tag `BEST_PICKED` is whether the pick among all responses is the
    best of them. Items with a response of unknown quality have none. Equal scores share under every rule.

    Args:
        items: The items.
        evidence: The reward model's evidence.
        rule: The score rule, for failures: if it excludes them, an item with a missing score has NaN as credits.
    """
    if evidence.readings:
        return over_readings(evidence, lambda one: best_of_n_outcomes(items, one, rule))
    quality = quality_of(items)
    rated, most = _rated(items, quality)
    numbers = powers_of_two(most, 2) if most > 1 else []
    filled = np.nan_to_num(quality)
    curves = ragged_curves(evidence.scores, filled, items.offsets, numbers)
    picks = picks_of(evidence.scores, filled, items.offsets)
    credit = np.concatenate([curves, picks.best[:, None]], axis=1)[rated]
    failed = picks.missing[rated] > 0
    if rule.failure == "exclude":
        credit[failed] = np.nan
    tags = (*(f"{_OF_N}{number}" for number in numbers), BEST_PICKED)
    return Outcomes(
        np.repeat(np.flatnonzero(rated), len(tags)).astype(np.int32),
        np.tile(np.arange(len(tags), dtype=np.int32), int(rated.sum())),
        tags,
        credit.ravel(),
        np.repeat(picks.tied[rated], len(tags)),
        np.repeat(failed, len(tags)),
        items.subset,
        items.subsets,
        items.cluster,
        evidence.variant,
    )


def best_of_n_composition(counts: Counts) -> Composition:
    """Return the compositions: best of the largest N first, then by subset, then of smaller N, then the best picked."""
    subsets = sorted({subset for subset, _ in counts})
    tags = {tag for _, tag in counts}
    numbers = sorted((int(tag.removeprefix(_OF_N)) for tag in tags if tag.startswith(_OF_N)), reverse=True)
    found: dict[Measure, dict[tuple[str, str], float]] = {}
    for number in numbers:
        metric, tag = f"best_of_{number}", [f"{_OF_N}{number}"]
        found[metric, "all"] = dict(pooled(counts, subsets, tag))
        if number == numbers[0]:
            found |= {(metric, one): dict(pooled(counts, [one], tag)) for one in subsets if one != "all"}
    if BEST_PICKED in tags:
        found["best_picked", "all"] = dict(pooled(counts, subsets, [BEST_PICKED]))
    return found


def limit_records(
    benchmark: str, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, formula: str, intervals: bool
) -> list[Record]:
    """Create the records of a random pick (`best_of_1`) and of the best response among N (`oracle`).

    They belong to the candidates and are the same for all reward models, so that `compare` does not contain them.
    """
    quality = quality_of(items)
    rated, most = _rated(items, quality)
    if not rated.any() or np.isnan(evidence.scores).all():
        return []
    best = EvidenceTable(items, evidence.variant, quality)
    limits = ragged_curves(quality, np.nan_to_num(quality), items.offsets, [1, most])[rated]
    found = best_of_n_outcomes(items, best, rule)
    own = replace(
        found,
        item=np.repeat(np.flatnonzero(rated), 2).astype(np.int32),
        tag=np.tile(np.arange(2, dtype=np.int32), len(limits)),
        tags=(_RANDOM, f"{_ORACLE}{most}"),
        credit=limits.ravel(),
        tied=np.zeros(2 * len(limits), bool),
        failed=np.zeros(2 * len(limits), bool),
    )

    def composition(counts: Counts) -> Composition:
        subsets = sorted({subset for subset, _ in counts})
        names = {("best_of_1", "all"): own.tags[0], ("oracle", "all"): own.tags[1]}
        return {measure: pooled(counts, subsets, [tag]) for measure, tag in names.items()}

    return composed_records(benchmark, own, composition, rule, lambda _: formula, {}, intervals)
