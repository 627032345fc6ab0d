"""Numbers that combine a model's runs on several benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rmeval.metrics.scoring.sections import record_with_prior
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["Combined", "combined_numbers"]


class Combined(NamedTuple):
    """A number that combines a model's runs on several benchmarks."""

    name: str
    model: str
    record: Record


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
    """The numbers that combine several benchmarks, for models with runs on all of them."""
    for one in _COMBINATIONS:
        found: dict[tuple[str, str], dict[str, Record]] = {one.first: {}, one.second: {}}
        models = []
        for result in results:
            for record in result.records:
                if (own := found.get((record.benchmark, record.metric))) is not None:
                    own.setdefault(result.manifest["model"]["name"], record)
                    models.append(result.manifest["model"]["name"])
        for model in dict.fromkeys(models):
            if model in found[one.first] and model in found[one.second]:
                yield Combined(one.name, model, one.formula(found[one.first][model], found[one.second][model]))
