"""View of models on several benchmarks, for `rmeval compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from rmeval.messages import count_of
from rmeval.metrics.composition import Measure
from rmeval.metrics.targets import best_note
from rmeval.report.cells import DIFFERENCE, P_VALUE, Cell, Number, Unit
from rmeval.report.labels import short_labels
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.across import AcrossBenchmarks, AcrossModel, BenchmarkDifference

__all__ = ["across_view"]

_PAIRS = 15
"""Number of pairs of models above which only models with adjacent mean ranks are compared."""
_RANK = Unit("{:.2f}".format, "{:.1f}".format)
_METHODS = {
    "holm": "corrected for all {} (Holm): the probability that any of them is false is at most 5%",
    "by": "corrected for all {} (Benjamini-Yekutieli): of the significant ones, at most 5% are false on average",
}


_MEAN_RANK = (
    "mean rank: among the models that were run on all of the benchmarks; its interval is the mean of the first and of "
    "the last ranks that Holm's correction leaves possible on each benchmark, and all of these intervals hold jointly "
    "with a probability of at least 95%"
)
_MEAN = "mean: each benchmark has the same weight; its interval treats the benchmarks as independent samples"


def across_view(found: AcrossBenchmarks, labels: Mapping[str, str] | None = None) -> View:
    """Return the view of models on several benchmarks: headlines, mean ranks, and differences by benchmark.

    Args:
        found: The models on the benchmarks.
        labels: The label of each model in tables; made from the names if None.
    """
    names = [one.name for one in found.models]
    labels = labels or dict(zip(names, short_labels(names), strict=True))
    headlines = [f"{name}: {_named(measure)}" for name, measure in found.headlines.items()]
    about = [f"{count_of(len(names), 'model')} on {count_of(len(found.benchmarks), 'benchmark')}", *headlines]
    return View(
        "across benchmarks",
        (_board(found, labels), _differences(found, labels)) if found.models else (),
        about=("; ".join(about),) if found.models else (),
        notes=found.notes,
    )


def _named(measure: Measure) -> str:
    return "accuracy" if measure == ("accuracy", "all") else measure_name(measure)


def _board(found: AcrossBenchmarks, labels: Mapping[str, str]) -> Table:
    means = any(one.mean is not None for one in found.models)
    ranks = any(one.mean_rank is not None for one in found.models)
    columns = ("", *found.benchmarks, *(("mean rank",) if ranks else ()), *(("mean",) if means else ()))
    rows = [
        Row(
            labels[one.name],
            (*(_headline(one, name) for name in found.benchmarks), *_means(one, ranks, means)),
            one.name,
        )
        for one in found.models
    ]
    method = _METHODS[found.correction].format(count_of(len(found.differences), "difference"))
    notes = [f"models that share a letter in a column do not differ significantly there, {method}"]
    notes += [f"{name}: {note}" for name, measure in found.headlines.items() if (note := best_note(measure[0]))]
    notes += [_MEAN_RANK] if ranks else []
    notes += [_MEAN] if means else []
    return Table("across", columns, tuple(rows), notes=("; ".join(notes),))


def _headline(one: AcrossModel, benchmark: str) -> Cell:
    record = one.records.get(benchmark)
    return None if record is None else Number(record.value, letters=one.letters[benchmark])


def _means(one: AcrossModel, ranks: bool, means: bool) -> Iterator[Cell]:
    if ranks:
        yield None if one.mean_rank is None else Number(one.mean_rank, one.mean_rank_ci, _RANK)
    if means:
        yield None if one.mean is None else Number(one.mean, one.mean_ci)


def _differences(found: AcrossBenchmarks, labels: Mapping[str, str]) -> Table:
    names = [one.name for one in found.models]
    pairs: Sequence[tuple[str, str]] = list(combinations(names, 2))
    note = ""
    if len(pairs) > _PAIRS:
        pairs = list(pairwise(names))
        note = "; neighbours in mean rank only: `as_json` has those of all pairs"
    own = {(one.benchmark, *sorted((one.first, one.second))): one for one in found.differences}
    rows = []
    for first, second in pairs:
        there = [own.get((name, *sorted((first, second)))) for name in found.benchmarks]
        if any(there):
            cells = (cell for one in there for cell in _difference(one, first))
            rows.append(Row(f"{labels[first]} - {labels[second]}", tuple(cells), f"{first} - {second}"))
    return Table(
        "across differences",
        ("", *(text for name in found.benchmarks for text in (name, "p"))),
        tuple(rows),
        f"differences in points, with p {_METHODS[found.correction].format('of them').partition(':')[0]}{note}",
        keys=("name", *(text for name in found.benchmarks for text in (name, f"{name} p"))),
    )


def _difference(one: BenchmarkDifference | None, first: str) -> Iterator[Cell]:
    if one is None:
        yield from (None, None)
        return
    yield Number(one.value if one.first == first else -one.value, unit=DIFFERENCE, strong=bool(one.leads))
    yield Number(one.p_corrected, unit=P_VALUE)
