"""Records of numbers that are made of accuracies: value, interval and counts, given what each is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rmeval.metrics.composition import Composition, Counts, Measure, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.records import make_record
from rmeval.metrics.stats.intervals import bootstrap_interval, bootstrap_random, wilson
from rmeval.metrics.stats.paired import Contested, number_replicates
from rmeval.types import FloatArray, Policy, Record

__all__ = ["composed_records"]


def composed_records(
    benchmark: str,
    found: Outcomes,
    composition: Callable[[Counts], Composition],
    policy: Policy,
    formula: Callable[[Measure], str],
    weights: Mapping[Measure, float],
    intervals: bool = True,
) -> list[Record]:
    """A record of each number that is a weighted sum of the accuracies of kinds of contests.

    A number in which each contest counts alike has Wilson's interval; any other that of the bootstrap over problems,
    see `Contested.replicates`.

    Args:
        benchmark: Benchmark id.
        found: Who won what.
        composition: What the numbers are made of, given how many contests there are of each kind.
        policy: The policy of the outcomes.
        formula: Name and version of each number's formula.
        weights: Weights of numbers in the averages above them; of others it is their number of items.
        intervals: Whether to compute confidence intervals.
    """
    contested = Contested.of([found])
    codes = {(subset, tag): place * len(found.tags) + k
             for place, subset in enumerate(found.subsets) for k, tag in enumerate(found.tags)}  # fmt: skip
    kind = found.subset[found.item].astype(np.int64) * len(found.tags) + found.tag
    replicates: FloatArray | None = None
    records = []
    for measure, shares in composition(contested.counts).items():
        if not shares:
            continue
        part = found.contests(np.isin(kind, [codes[name] for name in shares])).held()
        share = contested.shares(shares)
        value = float(contested.means[0] @ share)
        interval: tuple[tuple[float, float] | None, str | None] = (None, None)
        if _is_proportion(part, shares, contested.counts):
            # Not as a sum of shares, which rounds: a share of contests is one division.
            value = float(np.nanmean(part.credit))
            interval = wilson(part.credit, part.cluster[part.item])
        elif intervals:
            if replicates is None:
                replicates = contested.replicates(bootstrap_random())[:, 0]
            proportion = abs(float(share.sum()) - 1) < 1e-9 and _between_0_and_1(part)
            spread, clusters = number_replicates(replicates, share), contested.effective_clusters(share)
            interval = bootstrap_interval(value, spread, clusters, proportion)
        weight = weights.get(measure)
        records.append(make_record(benchmark, policy, *measure, value, part, formula(measure), interval, weight))
    return records


def _is_proportion(part: Outcomes, shares: Shares, counts: Counts) -> bool:
    """Whether each contest counts alike, and is won or lost."""
    total = sum(counts[name] for name in shares)
    alike = all(abs(share * total - counts[name]) < 1e-9 * total for name, share in shares.items())
    # Ties may share a win; any other credit is no win or loss, as one over a rank.
    decided = part.credit[~np.isnan(part.credit) & ~part.tied]
    return alike and _between_0_and_1(part) and bool(np.isin(decided, (0.0, 1.0)).all())


def _between_0_and_1(part: Outcomes) -> bool:
    known = part.credit[~np.isnan(part.credit)]
    return bool(((known >= 0) & (known <= 1)).all())
