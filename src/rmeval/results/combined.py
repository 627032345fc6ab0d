"""Numbers that combine a model's runs on several benchmarks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rmeval.metrics.scoring.sections import record_with_prior
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["Combined", "combined_numbers"]

logger = logging.getLogger(__name__)


class Combined(NamedTuple):
    """A number that combines a model's runs on several benchmarks."""

    name: str
    model: str
    record: Record
    benchmarks: tuple[str, ...]


class _Combination(NamedTuple):
    """A number computed from two others: the benchmark and metric of each, and the formula."""

    name: str
    first: tuple[str, str]
    second: tuple[str, str]
    formula: Callable[[Record, Record], Record]


_COMBINATIONS = (
    _Combination(
        "reward-bench with prior sets",
        ("reward-bench", "overall"),
        ("preference-test-sets", "average"),
        record_with_prior,
    ),
)


def combined_numbers(results: Sequence[Result]) -> Iterator[Combined]:
    """Yield the numbers that combine several benchmarks, for models with runs on all of them.

    Models are matched by name. Several runs of one name on a benchmark may be of different models: they cause a warning
    and have no combined number.
    """
    for one in _COMBINATIONS:
        firsts, seconds = (_first_records(results, *part) for part in (one.first, one.second))
        for model in firsts:
            first, second = firsts[model], seconds.get(model, [])
            if len(first) == len(second) == 1:
                yield Combined(one.name, model, one.formula(first[0], second[0]), (one.first[0], one.second[0]))
            elif first and second:
                logger.warning(
                    "no %s of %s, which has several runs of a benchmark: show two runs that belong together",
                    *(one.name, model),
                )


def _first_records(results: Sequence[Result], benchmark: str, metric: str) -> dict[str, list[Record]]:
    """By model, each run's record of a metric, for its first score."""
    found: dict[str, list[Record]] = {}
    for result in results:
        own = (record for record in result.records if (record.benchmark, record.metric) == (benchmark, metric))
        if record := next(own, None):
            found.setdefault(result.manifest["model"]["name"], []).append(record)
    return found
