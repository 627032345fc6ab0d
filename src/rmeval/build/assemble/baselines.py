"""The null baselines on a benchmark, and whether they are at chance where styles are equal."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from rmeval.baselines import BASELINES
from rmeval.benchmarks.hooks import Benchmark
from rmeval.build.assemble.items import CountedItems
from rmeval.data.tables import EvidenceTable
from rmeval.metrics.outcomes import HALF
from rmeval.metrics.records import null_evidence
from rmeval.metrics.scoring.style_substance import LEVELS
from rmeval.metrics.stats.likelihood import p_values
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.significance import LEVEL, holm
from rmeval.types import Record

__all__ = ["CHANCE", "BaselineNumber", "baseline_numbers"]

CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class BaselineNumber:
    """The accuracy of a null baseline where both responses have the same style.

    Attributes:
        baseline: The baseline.
        domain: The domain; the two parts of safety are domains of their own, since a baseline that is always right in
            one and always wrong in the other is at chance in both together.
        value: Its accuracy on Normal; ties count one half.
        interval: 95% interval over problems; None with too few problems.
        p: Probability of a number that is as far from 50%, if 50% holds; corrected for the number of baselines and
            domains. NaN for the baseline `random`, which is 50% by definition.
        levels: Its accuracy on Easy, Normal and Hard.
    """

    baseline: str
    domain: str
    value: float
    interval: tuple[float, float] | None
    p: float
    levels: tuple[float, float, float]

    def is_off(self, tolerance: float) -> bool:
        """Whether the number differs from 50% significantly, and by more than the tolerance."""
        return bool(self.p < LEVEL) and self.is_far(tolerance)

    def is_far(self, tolerance: float) -> bool:
        """Whether the number differs from 50% by more than the tolerance."""
        return abs(self.value - CHANCE) > tolerance


def baseline_numbers(benchmark: Benchmark, counted: CountedItems) -> list[BaselineNumber]:
    """Compute the numbers of all null baselines, by domain."""
    found: list[BaselineNumber] = []
    for name in BASELINES:
        evidence = null_evidence(name, counted.table, counted.counts)
        records = {
            (one.metric, one.scope): one for one in benchmark.aggregate(counted.table, evidence, HALF) if one.scope
        }
        p = _p_values(benchmark, counted, evidence) if name != "random" else {}
        scopes = _scopes(benchmark, records)
        found += [_number(name, domain, scope, records, p.get(domain, np.nan)) for domain, scope in scopes.items()]
    tested = [place for place, one in enumerate(found) if not np.isnan(one.p)]
    corrected = holm(np.array([found[place].p for place in tested]))
    for place, value in zip(tested, corrected.tolist(), strict=True):
        one = found[place]
        found[place] = BaselineNumber(one.baseline, one.domain, one.value, one.interval, value, one.levels)
    return found


def _scopes(benchmark: Benchmark, numbers: Container[tuple[str, str]]) -> dict[str, str]:
    """The scope of each domain's numbers; a part of safety without the other has those of safety."""
    wholes = {part: name for name, parts in benchmark.card.sections.items() for part in parts}
    scopes = {part: part if ("normal", part) in numbers else whole for part, whole in wholes.items()}
    return {part: scope for part, scope in scopes.items() if ("normal", scope) in numbers}


def _number(name: str, domain: str, scope: str, records: dict[tuple[str, str], Record], p: float) -> BaselineNumber:
    easy, normal, hard = (records[level, scope] for level in LEVELS[:3])
    return BaselineNumber(name, domain, normal.value, normal.ci, p, (easy.value, normal.value, hard.value))


def _p_values(benchmark: Benchmark, counted: CountedItems, evidence: EvidenceTable) -> dict[str, float]:
    """Two-sided p-values of Normal against 50%, by domain."""
    paired = PairedOutcomes.of([benchmark.outcomes(counted.table, evidence, HALF)])
    numbers = benchmark.composition(paired.counts)
    scopes = _scopes(benchmark, numbers)
    samples = [paired.sample(0, paired.shares(numbers["normal", scope])) for scope in scopes.values()]
    above = p_values(samples, CHANCE)
    # A number without variance that is 50% leaves nothing to test.
    away = np.array([one.value != CHANCE for one in samples])
    both = np.where(away, np.minimum(1.0, 2 * np.minimum(above, 1 - above)), 1.0)
    return dict(zip(scopes, both.tolist(), strict=True))
