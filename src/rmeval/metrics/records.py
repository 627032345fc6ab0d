"""Records: a value with its counts, interval and null baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any, Protocol, cast

import numpy as np

from rmeval.baselines import NULL_SCORES
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.intervals import wilson
from rmeval.types import Evidence, Item, Record, ScoreRule

__all__ = ["accuracy_record", "checked_records", "make_record", "null_evidence", "records_of", "with_null"]


def make_record(
    benchmark: str,
    rule: ScoreRule,
    metric: str,
    scope: str,
    value: float,
    outcomes: Outcomes,
    formula: str,
    interval: tuple[tuple[float, float] | None, str | None] = (None, None),
    weight: float | None = None,
) -> Record:
    """Create a record of a number, with counts from the outcomes that it was computed from.

    Args:
        benchmark: Benchmark id.
        rule: The score rule of the outcomes.
        metric: Name of the metric.
        scope: The subset, domain or section, or `all`.
        value: The number.
        outcomes: The outcomes that the number was computed from.
        formula: Name and version of the formula.
        interval: The confidence interval and the name of its method.
        weight: Weight in the average that contains it; by default the number of items.
    """
    return Record(
        benchmark=benchmark,
        variant=outcomes.variant,
        rule=rule.name,
        metric=metric,
        scope=scope,
        value=float(value),
        ci=interval[0],
        ci_method=interval[1] if interval[0] else None,
        n_items=outcomes.n_items,
        n_clusters=outcomes.n_clusters,
        weight=float(outcomes.n_items if weight is None else weight),
        ties=int(outcomes.tied.sum()),
        failures=int(outcomes.failed.sum()),
        null={},
        formula=formula,
    )


def accuracy_record(
    benchmark: str,
    rule: ScoreRule,
    scope: str,
    outcomes: Outcomes,
    formula: str,
    weight: float | None = None,
    metric: str = "accuracy",
    intervals: bool = True,
) -> Record:
    """Create a record of the share of comparisons won, with Wilson's interval; NaN if the rule excludes all."""
    known = ~np.isnan(outcomes.credit)
    value = float(outcomes.credit[known].mean()) if known.any() else np.nan
    interval = wilson(outcomes.credit, outcomes.cluster[outcomes.item]) if intervals else (None, None)
    return make_record(benchmark, rule, metric, scope, value, outcomes, formula, interval, weight)


def checked_records(found: Any) -> list[Record]:
    """Check what `aggregate` of a benchmark returned, and return it as records of plain types.

    Raises:
        DataError: If it is not a list of records, or a field of one has a wrong type.
    """
    if not isinstance(found, list | tuple) or not all(isinstance(one, Record) for one in found):
        raise DataError(f"aggregate() of the benchmark returns {quoted(found)}: return a list of rmeval.types.Record")
    return [_plain(one) for one in found]


def _plain(record: Record) -> Record:
    try:
        numbers = {name: index(getattr(record, name)) for name in ("n_items", "n_clusters", "ties", "failures")}
        value, weight = float(record.value), float(record.weight)
        ci = None if record.ci is None else (float(record.ci[0]), float(record.ci[1]))
    except (TypeError, ValueError, LookupError) as error:
        raise DataError(f"aggregate() of the benchmark returns {quoted(record)}: correct it ({error})") from None
    names = (record.benchmark, record.metric, record.scope, record.formula, record.rule)
    if not all(isinstance(name, str) for name in names) or math.isinf(value):
        raise DataError(
            f"aggregate() of the benchmark returns {quoted(record)}: use texts as names, and a finite value, or NaN if "
            "there is none"
        )
    return replace(record, value=value, weight=weight, ci=ci, **cast("dict[str, Any]", numbers))


class Aggregates(Protocol):
    """An object that computes numbers from evidence, such as a benchmark."""

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the numbers."""
        ...


def records_of(
    benchmark: Aggregates, evidence: EvidenceTable, rule: ScoreRule, null: Mapping[str, Sequence[Record]]
) -> list[Record]:
    """Compute a benchmark's numbers for a model, each with the values of the null baselines.

    Records that a custom benchmark creates without `make_record` get the evidence's variant here.
    """
    found = checked_records(benchmark.aggregate(evidence.table, evidence, rule))
    own = evidence.variant
    return with_null([one if one.variant == own else replace(one, variant=own) for one in found], null)


def null_evidence(name: str, items: ItemTable, counts: Mapping[str, Codes]) -> EvidenceTable:
    """Return the evidence of a null baseline on the items.

    Args:
        name: One of `NULL_SCORES`.
        items: The items.
        counts: Style counts of the responses, int32[responses] by name.
    """
    factor, count = NULL_SCORES[name]
    return EvidenceTable(items, "score", np.multiply(factor, counts[count], dtype=np.float64))


def with_null(records: Sequence[Record], null: Mapping[str, Sequence[Record]]) -> list[Record]:
    """Add the null baselines' values to the model's records, matched by metric and scope."""
    values = {name: {(r.metric, r.scope): r.value for r in found} for name, found in null.items()}
    return [
        replace(record, null={name: found[own] for name, found in values.items() if own in found})
        for record in records
        for own in [(record.metric, record.scope)]
    ]
