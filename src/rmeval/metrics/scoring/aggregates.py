"""Records of weighted sums of accuracies, with intervals and counts, from the composition of each number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from rmeval.metrics.composition import Composition, Counts, Measure, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.records import make_record
from rmeval.metrics.stats.intervals import MIN_CLUSTERS, SCORE, WILSON, wilson
from rmeval.metrics.stats.likelihood import Sample, limits
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.types import Record, ScoreRule

__all__ = ["Interval", "composed_records", "number_intervals"]

Interval: TypeAlias = tuple[tuple[float, float] | None, str | None]
"""The interval of a number, and its method."""


def composed_records(
    benchmark: str,
    found: Outcomes,
    composition: Callable[[Counts], Composition],
    rule: ScoreRule,
    formula: Callable[[Measure], str],
    weights: Mapping[Measure, float],
    intervals: bool = True,
) -> list[Record]:
    """Create a record of each number that is a weighted sum of the accuracies of kinds of comparisons.

    A number that weights all comparisons equally gets Wilson's interval; every other number gets its generalization,
    see `rmeval.metrics.stats.likelihood`.

    Args:
        benchmark: Benchmark id.
        found: The outcomes.
        composition: Computes the compositions from the number of comparisons of each kind.
        rule: The score rule of the outcomes.
        formula: Name and version of each number's formula.
        weights: Weights of numbers in the averages that contain them; by default their numbers of items.
        intervals: Whether to compute confidence intervals.
    """
    paired = PairedOutcomes.of([found])
    codes = {(subset, tag): place * len(found.tags) + k
             for place, subset in enumerate(found.subsets) for k, tag in enumerate(found.tags)}  # fmt: skip
    kind = found.subset[found.item].astype(np.int64) * len(found.tags) + found.tag
    numbers = {measure: shares for measure, shares in composition(paired.counts).items() if shares}
    spread = number_intervals(paired, numbers) if intervals else {}
    records = []
    for measure, shares in numbers.items():
        part = found.comparisons(np.isin(kind, [codes[name] for name in shares])).held()
        value = float(paired.means[0] @ paired.shares(shares))
        interval = spread.get(measure, (None, None))
        if _is_proportion(part, shares, paired.counts):
            # One division avoids the rounding of a sum of shares.
            value = float(np.nanmean(part.credit))
            interval = wilson(part.credit, part.cluster[part.item])
        weight = weights.get(measure)
        records.append(make_record(benchmark, rule, *measure, value, part, formula(measure), interval, weight))
    return records


def number_intervals(paired: PairedOutcomes, numbers: Composition) -> dict[Measure, Interval]:
    """Compute the interval of each number of one model, and the method; none with too few problems.

    Args:
        paired: The comparisons of one model.
        numbers: The compositions of the numbers.
    """
    shares = [paired.shares(own) for own in numbers.values()]
    samples = [paired.sample(0, own) for own in shares]
    enough = [one.problems.sum() >= MIN_CLUSTERS or _method(one) == WILSON for one in samples]
    ends = limits(samples).tolist()
    return {
        measure: ((low, high), _method(one)) if known else (None, None)
        for measure, (low, high), known, one in zip(numbers, ends, enough, samples, strict=True)
    }


def _method(one: Sample) -> str:
    return WILSON if len(one.degrees) == 1 and np.isinf(one.degrees[0]) else SCORE


def _is_proportion(part: Outcomes, shares: Shares, counts: Counts) -> bool:
    """Return whether every comparison has the same weight and is either won or lost."""
    total = sum(counts[name] for name in shares)
    alike = all(abs(share * total - counts[name]) < 1e-9 * total for name, share in shares.items())
    # A tie may share a win; any other credit, such as a reciprocal rank, is neither a win nor a loss.
    decided = part.credit[~np.isnan(part.credit) & ~part.tied]
    return alike and _between_0_and_1(part) and bool(np.isin(decided, (0.0, 1.0)).all())


def _between_0_and_1(part: Outcomes) -> bool:
    known = part.credit[~np.isnan(part.credit)]
    return bool(((known >= 0) & (known <= 1)).all())
