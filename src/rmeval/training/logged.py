"""The numbers of an evaluation as a trainer logs them: one name and one value each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from rmeval.errors import UnknownNameError
from rmeval.messages import quoted
from rmeval.metrics.composition import GAP, Measure, headline, parts
from rmeval.predict.trainings import DOMAINS, whole_domains
from rmeval.report.run import measures_of
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["PREFIX", "logged_measures", "logged_numbers", "stem_of"]

PREFIX = "eval_"
"""With this beginning, the integrations of transformers show numbers beside those of the trainer's own evaluations, and
`metric_for_best_model` finds them."""
STYLE = ("easy", "normal", "hard", GAP)
"""Metrics of style that are logged beside the headline of a benchmark that has them."""


def stem_of(benchmark: str) -> str:
    """The beginning of the names of a benchmark's numbers, such as `eval_rm-bench/`."""
    return f"{PREFIX}{_name(benchmark)}/"


def logged_measures(there: Sequence[Measure], wanted: Iterable[str] = ()) -> list[Measure]:
    """Return the numbers to log.

    Args:
        there: The numbers of a run.
        wanted: Metrics such as `hard` (on all items), or with a scope `hard:chat`; by default the headline, and Easy,
            Normal, Hard and the style gap on all items. A run without a headline, such as that of some domains only,
            has those of each domain instead, or the main number of each part.

    Raises:
        UnknownNameError: If the run does not have a wanted number.
    """
    found = [_measure(name, there) for name in wanted]
    if not found:
        top = headline(there)
        scopes = whole_domains(scope for metric, scope in there if metric == STYLE[0]) if top is None else ["all"]
        found = [] if top is None else [top]
        found += [(metric, scope) for scope in scopes for metric in STYLE if (metric, scope) in there]
    return list(dict.fromkeys(found or parts(there)))


def logged_numbers(result: Result, benchmark: str, wanted: Sequence[str], null: bool) -> dict[str, float]:
    """Return values with the ends of their intervals; of several domains without a headline, also their means.

    Args:
        result: The evaluation.
        benchmark: Id of the benchmark.
        wanted: See `logged_measures`.
        null: Whether to add the values of the null baselines, which are the same at every step.

    Raises:
        UnknownNameError: If the result does not have a wanted number.
    """
    records = [result.record(*one) for one in logged_measures(measures_of(result.records), wanted)]
    found: dict[str, float] = {}
    for metric in STYLE if not wanted else ():
        own = [record.value for record in records if record.metric == metric and record.scope != "all"]
        found |= {f"{metric}_{DOMAINS}": sum(own) / len(own)} if len(own) > 1 else {}
    for record in records:
        found |= _values(record, null)
    return {f"{stem_of(benchmark)}{name}": value for name, value in found.items() if math.isfinite(value)}


def _values(record: Record, null: bool) -> dict[str, float]:
    name = _name(record.metric if record.scope == "all" else f"{record.metric}_{record.scope}")
    low, high = record.ci or (math.nan, math.nan)
    baselines = {f"{name}_{baseline}": value for baseline, value in record.null.items()} if null else {}
    return {name: record.value, f"{name}_low": low, f"{name}_high": high, **baselines}


def _measure(name: str, there: Sequence[Measure]) -> Measure:
    if (name, "all") in there:
        return name, "all"
    metric, _, scope = name.rpartition(":")
    if (metric, scope) not in there:
        known = sorted(one if part == "all" else f"{one}:{part}" for one, part in there if ":" not in one)
        raise UnknownNameError(
            f"the run has no number {quoted(name)}: choose `metrics` from {', '.join(known)}, and from the cells"
        )
    return metric, scope


def _name(text: str) -> str:
    """Replace characters that a tracker refuses in names."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII)
