"""The numbers in which models are compared, and the one that `metric` and `scope` name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import nearest
from rmeval.metrics.composition import Composition, Measure, Shares, headline
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.align import NothingSharedError
from rmeval.types import Record

__all__ = ["measure_of", "refuse_scope_alone", "shown_measures"]


def refuse_scope_alone(metric: str | None, scope: str) -> None:
    """Check that a scope comes with a metric.

    Raises:
        RunError: If it does not.
    """
    if metric is None and scope != "all":
        raise RunError(f"`scope` {scope} needs `metric`: give both, such as `metric` average")


def measure_of(benchmark: str, shown: Sequence[Measure], metric: str | None, scope: str) -> Measure | None:
    """Return the number that is named, or the headline, which is None if no number is of all items.

    Raises:
        NothingSharedError: If the benchmark has no such number.
    """
    if metric is None:
        return headline(shown)
    if (metric, scope) not in shown:
        there = ", ".join(" ".join(measure) for measure in shown)
        meant = nearest(metric, {name for name, _ in shown} - {metric})
        message = f"{benchmark} has no {metric} on {scope}: "
        message += f"did you mean `metric` {meant}? " if meant else ""
        raise NothingSharedError(f"{message}choose `metric` and `scope` among {there}")
    return metric, scope


def shown_measures(
    benchmark: str, composition: Composition, paired: PairedOutcomes, records: Sequence[Mapping[Measure, Record]]
) -> list[Measure]:
    """Return the numbers in which models are compared: those that the benchmark composes of accuracies.

    Args:
        benchmark: The benchmark's id.
        composition: The compositions of its numbers.
        paired: The comparisons of all models.
        records: The numbers of each model.

    Raises:
        RunError: If there are none.
    """
    shown = [
        measure
        for measure in composition
        if not measure[0].startswith("cell:") and _agrees(paired, composition[measure], measure, records)
    ]
    if not shown:
        raise RunError(
            f"the benchmark {benchmark} does not define the composition of its numbers: give it a method composition"
        )
    return shown


def _agrees(
    paired: PairedOutcomes, shares: Shares, measure: Measure, records: Sequence[Mapping[Measure, Record]]
) -> bool:
    """Whether every model's number equals the sum of its composition; a benchmark may compute it otherwise."""
    if any(measure not in own for own in records):
        return False
    made = paired.means @ paired.shares(shares)
    given = np.array([own[measure].value for own in records])
    return bool(np.allclose(made, given, rtol=0, atol=1e-9))
