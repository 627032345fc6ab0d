"""The number of a benchmark that `metric` and `scope` name."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.errors import RunError
from rmeval.messages import nearest
from rmeval.metrics.composition import Measure, headline
from rmeval.results.align import NothingSharedError

__all__ = ["measure_of", "refuse_scope_alone"]


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
