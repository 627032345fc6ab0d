"""View of variance components, for `rmeval variance`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rmeval.messages import count_of, shortened
from rmeval.metrics.stats.variance import ITEM, PROBLEM, Component
from rmeval.report.cells import DECIMALS, Cell, Number, Unit
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.designs import Design
from rmeval.results.facets import RUN
from rmeval.results.variance import VarianceStudy

__all__ = ["variance_view"]

_LEVEL = 24
"""Characters of the name of a level."""


def _two_decimals(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.2f}"


def _size(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def _change(share: float) -> str:
    return "-" if math.isnan(share) else f"{round(100 * share) + 0.0:+.0f}%"


_CHANGE = Unit(_change, _change)
_POINTS = Unit(_two_decimals, _two_decimals)
_SIZE = Unit(_size, _size)
_TIMES = Unit("{:.2f}".format, "{:.2f}".format)


def variance_view(found: VarianceStudy) -> View:
    """Return the view of a study: components, designs with names, and standard errors over designs."""
    runs, named = len(found.runs), _named(found)
    about = [
        f"{named}: {count_of(found.n_items, 'item')} of {count_of(found.n_problems, 'problem')}, "
        f"{count_of(runs, 'run')}; ties and failures: {found.rule}",
        *(f"{facet.name}: {_levels(facet.levels)}" for facet in found.facets if facet.name != RUN),
    ]
    tables = [
        *([_runs(found)] if runs > 1 else []),
        _components(found.components),
        *_clustering(found),
        _designs(found),
        *_grid(found),
    ]
    return View(
        found.benchmark,
        tuple(tables),
        model=found.runs[0].name if runs == 1 else "",
        headline=(named, Number(found.value)),
        about=tuple(about),
        notes=found.notes,
        source=found.runs[0].path if runs == 1 else None,
    )


def _named(found: VarianceStudy) -> str:
    return "accuracy" if found.measure == ("accuracy", "all") else measure_name(found.measure)


def _levels(levels: Sequence[str]) -> str:
    shown = ", ".join(shortened(level, _LEVEL) for level in levels[:_MOST])
    return f"{shown}, ... ({len(levels)} levels)" if len(levels) > _MOST else shown


_MOST = 8


def _runs(found: VarianceStudy) -> Table:
    # A run's name is its model; if each run is a level, its name is that of the level.
    places = [place for place, facet in enumerate(found.facets) if facet.name not in (found.measured, RUN)]
    names = [found.facets[place].name for place in places]
    rows = (
        Row(run.name, (*(shortened(run.levels[place], _LEVEL) for place in places), Number(run.value)))
        for run in found.runs
    )
    return Table("runs", ("", *names, "%"), tuple(rows), keys=("name", *names, "value"))


def _effect(effect: Sequence[str]) -> str:
    if effect == (PROBLEM, ITEM):
        return "item within problem"
    return " x ".join(effect) + (", and the rest" if len(effect) > 1 and effect[0] == PROBLEM else "")


def _components(components: Sequence[Component]) -> Table:
    total = sum(one.variance for one in components)
    last = components[-1]
    rows = []
    for one in components:
        spread = None if one.ci is None else (math.sqrt(one.ci[0]), math.sqrt(one.ci[1]))
        name = _effect(one.effect) if one is last else " x ".join(one.effect)
        share = Number(one.variance / total if total else math.nan)
        rows.append(Row(name, (share, Number(math.sqrt(one.variance), spread, _POINTS)), " x ".join(one.effect)))
    title = "components of the variance of one value, in % of their sum, and as standard deviations in points"
    columns = ("", "share", "standard deviation")
    return Table("components", columns, tuple(rows), title)


def _clustering(found: VarianceStudy) -> Iterator[Table]:
    own = found.clustering
    if own is None:
        return
    rows = (
        Row(
            "intra-class correlation",
            (
                Number(own.correlation, own.correlation_ci, DECIMALS),
                "0: items of a problem are like others, 1: all alike",
            ),
        ),
        Row(
            "design effect",
            (Number(own.design_effect, unit=_TIMES), "variance relative to items of different problems"),
        ),
        Row("effective items", (Number(own.effective, unit=_SIZE), f"of {_size(found.n_items)}")),
    )
    yield Table("clustering", ("", "value", "meaning"), rows, "items of one problem", layout="bare")


def _error(found: VarianceStudy) -> str:
    return "of the difference of two models" if found.measured else f"of {_named(found)}"


def _axis(axis: str) -> str:
    return "problems" if axis == PROBLEM else "items in each" if axis == ITEM else axis


def _designs(found: VarianceStudy) -> Table:
    axes = list(found.designs[0].sizes)
    rows = []
    for one in found.designs:
        sizes = (Number(one.sizes[axis], unit=_SIZE) for axis in axes)
        change = one.error / found.error - 1 if one is not found.designs[0] and found.error else math.nan
        evaluations = Number(one.evaluations, unit=_SIZE)
        rows.append(Row(one.name, (*sizes, evaluations, *_precision(one), Number(change, unit=_CHANGE))))
    columns = ("", *map(_axis, axes), "evaluations", *_precision_names(found), "change")
    title = f"standard error {_error(found)}, in points"
    notes = [
        "an evaluation is one problem under one level of each facet" + (", for each model" if found.measured else "")
    ]
    if found.clustering is not None:
        notes = ["an evaluation is one item"]
    notes.append("change: of the error, compared with the first row")
    if len(axes) > 1:
        notes.append("best split: the numbers with the smallest error for as many evaluations")
    if found.clustering is None and not found.measured:
        notes.append("same problems: how far repeats alone, with other levels, move the number")
    if found.measured:
        notes.append("reliability: the expected squared correlation of the models' numbers with their true numbers")
    return Table("designs", columns, tuple(rows), title, tuple(notes))


def _precision(one: Design) -> Iterator[Cell]:
    yield Number(one.error, unit=_POINTS)
    if one.repeat_error is not None:
        yield Number(one.repeat_error, unit=_POINTS)
    if one.reliability is not None:
        yield Number(one.reliability, unit=DECIMALS)


def _precision_names(found: VarianceStudy) -> tuple[str, ...]:
    if found.measured:
        return ("error", "reliability")
    return ("error",) if found.clustering is not None else ("error", "same problems")


def _grid(found: VarianceStudy) -> Iterator[Table]:
    axes = [axis for axis in found.grid[0].sizes if axis != PROBLEM]
    counts = list(dict.fromkeys(one.sizes[PROBLEM] for one in found.grid))
    if not axes:
        rows = [Row(_size(one.sizes[PROBLEM]), tuple(_precision(one))) for one in found.grid]
        yield Table(
            "standard errors",
            ("problems", *_precision_names(found)),
            tuple(rows),
            f"standard error {_error(found)}, by number of problems",
        )
        return
    columns = list(dict.fromkeys(" x ".join(_size(one.sizes[axis]) for axis in axes) for one in found.grid))
    width = len(columns)
    rows = [
        Row(
            _size(count),
            tuple(Number(one.error, unit=_POINTS) for one in found.grid[place * width : (place + 1) * width]),
        )
        for place, count in enumerate(counts)
    ]
    what = "items in each problem" if axes == [ITEM] else f"levels of {' x '.join(axes)}"
    title = f"standard error {_error(found)}, in points, by number of problems and, from left to right, of {what}"
    yield Table("standard errors", ("problems", *columns), tuple(rows), title)
