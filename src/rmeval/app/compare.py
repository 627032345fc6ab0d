"""The page that compares models: numbers, differences with intervals, and the items on which they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby

from markupsafe import Markup

from rmeval.app.explorer import Choice, named_runs
from rmeval.app.filters import Params, first_of
from rmeval.app.index import IndexedRun
from rmeval.app.pages import address
from rmeval.app.viewer import Viewer
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Measure
from rmeval.report.cells import clean
from rmeval.report.comparison import comparison_views
from rmeval.report.html import html_text
from rmeval.report.run import measure_name, measures_of
from rmeval.results.compare import ModelComparison
from rmeval.results.result import Result

__all__ = ["CompareView", "Disagreement", "compare_view"]

_NOTHING = Markup()
_PAIRS = 28
"""Pairs of models whose disagreements are linked: those of eight models."""
_MOST = 50
"""Runs that a page compares."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Links to the items on which two models disagree.

    Attributes:
        first: Name of one model.
        second: Name of the other.
        all: Address of the comparisons that one of them decides right, and the other does not.
        only_first: Address of the comparisons that only the first decides right.
        only_second: Address of those that only the second decides right.
    """

    first: str
    second: str
    all: str
    only_first: str
    only_second: str


@dataclass(frozen=True, slots=True)
class CompareView:
    """The page.

    Attributes:
        runs: The runs to choose from, by name of their benchmark.
        numbers: The numbers that models can be ranked by; empty before runs are chosen.
        problem: Why nothing is compared; empty if something is.
        tables: The tables.
        disagreements: Links to items, for pairs of models.
    """

    runs: Mapping[str, Sequence[Choice]]
    numbers: Sequence[Choice] = ()
    problem: str = ""
    tables: Markup = _NOTHING
    disagreements: Sequence[Disagreement] = ()


def compare_view(viewer: Viewer, params: Params) -> CompareView:
    """Return what the page of an address shows.

    Raises:
        RmevalError: If a run or number does not exist, or the runs cannot be compared.
    """
    usable = [run for run in viewer.index.runs() if not run.error]
    names = named_runs(usable)
    keys = list(dict.fromkeys(one for one in params.get("run", ()) if one))
    chosen = [run for run in usable if run.key in keys]
    if unknown := set(keys) - {run.key for run in chosen}:
        raise DataError(f"there is no run {quoted(min(unknown))}: choose from the list of runs")
    groups = groupby(usable, key=lambda run: run.title or run.benchmark)
    runs = {clean(title): [Choice(one.key, names[one.key], one.key in keys) for one in own] for title, own in groups}
    if problem := _problem(chosen):
        return CompareView(runs, problem=problem)
    measures = _measures(viewer, chosen)
    given = first_of(params, "number")
    if given and given not in measures:
        raise DataError(f"there is no number {quoted(given)}: choose from {', '.join(measures)}")
    metric, scope = measures[given] if given else (None, "all")
    found = viewer.compared(chosen, metric, scope)
    return CompareView(
        runs,
        [
            Choice("", "the headline", not given),
            *(Choice(name, clean(measure_name(one)), name == given) for name, one in measures.items()),
        ],
        tables=Markup(html_text([replace(one, notes=_notes(one.notes)) for one in comparison_views(found)])),
        disagreements=list(_disagreements(found, chosen)),
    )


def _problem(chosen: Sequence[IndexedRun]) -> str:
    if len(chosen) < 2:
        return "Choose two runs or more of one benchmark."
    if len({run.benchmark for run in chosen}) > 1:
        return "These runs are of different benchmarks: choose runs of one of them."
    return f"These are {len(chosen)} runs: choose up to {_MOST}." if len(chosen) > _MOST else ""


def _notes(notes: Sequence[str]) -> tuple[str, ...]:
    """The notes with the form's fields in place of parameters."""
    return tuple(note.replace("`metric` ", "").replace(" with `scope` ", " of ") for note in notes)


def _measures(viewer: Viewer, runs: Sequence[IndexedRun]) -> dict[str, Measure]:
    """The numbers of the runs by their names in addresses."""
    results = [found for run in runs if isinstance(found := viewer.result(run), Result)]
    measures = dict.fromkeys(one for result in results for one in measures_of(result.records))
    return {" ".join(one): one for one in measures if not one[0].startswith("cell:")}


def _disagreements(comparisons: Sequence[ModelComparison], runs: Sequence[IndexedRun]) -> Iterator[Disagreement]:
    """Yield the pairs of models, those of the best models first."""
    keys = {run.folder.resolve(): run.key for run in runs}
    left = _PAIRS
    for found in comparisons:
        entries = [(clean(one.name), keys[one.path.resolve()]) for one in found.entries if one.path is not None]
        for (first, own), (second, other) in combinations(entries, 2):
            if left == 0:
                return
            left -= 1
            pair = {"run": own, "other": other}
            yield Disagreement(
                first,
                second,
                address("/items", **pair),
                address("/items", **pair, outcome="right"),
                address("/items", run=other, other=own, outcome="right"),
            )
