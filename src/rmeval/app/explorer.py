"""The item explorer: the comparisons of a run that a filter selects, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from rmeval.app.filters import Filter, Params, first_of
from rmeval.app.index import OUTCOMES, SORTS, ComparisonRow, Index, IndexedRun, ItemQuery, Tally
from rmeval.errors import DataError
from rmeval.messages import count_of, visible
from rmeval.metrics.scoring.style_substance import COMPARISONS, LEVELS
from rmeval.results.align import run_names

__all__ = ["Choice", "Column", "ExplorerView", "ShownRow", "explorer_view", "named_runs"]

_ROWS = 50
_STYLED = {one.tag for one in COMPARISONS}
_SORT_NAMES = {
    "margin": "margin, worst first",
    "-margin": "margin, best first",
    "length": "length difference, shorter winner first",
    "-length": "length difference, longer winner first",
    "item": "order of the run",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a form.

    Attributes:
        value: Its value in addresses.
        label: What the form shows.
        chosen: Whether it is chosen.
    """

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        label: Its heading.
        kind: How its values are aligned.
        address: The address of the list sorted by it; empty if it cannot be.
        sorted: Whether and how the list is sorted by it, as `aria-sort` has it.
    """

    label: str
    kind: Literal["text", "number"] = "text"
    address: str = ""
    sorted: Literal["ascending", "descending", ""] = ""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A comparison in the list.

    Attributes:
        address: The address of its page.
        name: The item's id.
        excerpt: The beginning of the prompt.
        subset: The item's subset.
        cell: The comparison's tag.
        outcome: What the model decides.
        margin: The margin.
        length: The length difference.
        other: The other model's margin.
    """

    address: str
    name: str
    excerpt: str
    subset: str
    cell: str
    outcome: str
    margin: str
    length: str
    other: str


@dataclass(frozen=True, slots=True)
class ExplorerView:
    """The page.

    Attributes:
        run: The run; None if there are no runs.
        problem: Why the list cannot be shown; empty if it can.
        runs: The runs, by name of their benchmark.
        others: Runs of the same benchmark.
        outcomes: Outcomes, with an empty first one for all.
        subsets: Subsets and sections.
        cells: Cells, and names of several.
        sorts: Orders.
        values: What the fields for texts and numbers contain.
        columns: The columns.
        rows: The rows.
        tally: Numbers of comparisons by outcome.
        previous: The address of the previous page; empty if there is none.
        next: The address of the next page; likewise.
        all: The address of the run's list without a filter; empty if there is no filter.
        notes: Notes for the reader, one sentence each.
    """

    run: IndexedRun | None
    problem: str = ""
    runs: Mapping[str, Sequence[Choice]] | None = None
    others: Sequence[Choice] = ()
    outcomes: Sequence[Choice] = ()
    subsets: Sequence[Choice] = ()
    cells: Sequence[Choice] = ()
    sorts: Sequence[Choice] = ()
    values: Mapping[str, str] | None = None
    columns: Sequence[Column] = ()
    rows: Sequence[ShownRow] = ()
    tally: Tally | None = None
    previous: str = ""
    next: str = ""
    all: str = ""
    notes: Sequence[str] = ()


def explorer_view(index: Index, params: Params) -> ExplorerView:
    """Return what the page of an address shows.

    Raises:
        DataError: If the address names something that does not exist.
        RunError: If the index cannot be read.
    """
    runs = index.runs()
    usable = [one for one in runs if not one.error]
    if not usable:
        reason = f"the first is not readable: {runs[0].error}" if runs else "write some with rmeval run"
        return ExplorerView(None, f"There are no runs to show: {reason}.")
    chosen = _of_form(index, Filter.of(params, usable[0].key), first_of(params, "of"))
    run = next((one for one in runs if one.key == chosen.query.run), None)
    if run is None:
        raise DataError(f"there is no run {visible(chosen.query.run)[:60]}: choose one of the list")
    names = named_runs(usable)
    view = ExplorerView(run, runs=dict(_by_benchmark(usable, names, run.key)))
    if run.error:
        return replace(view, problem=f"This run cannot be read: {run.error}.")
    return _filled(index, view, run, chosen, names)


def _of_form(index: Index, chosen: Filter, before: str) -> Filter:
    """The filter without what belongs to the benchmark of the run that the form was made for."""
    run, other = index.run(chosen.query.run), index.run(before)
    if run is None or other is None or run.benchmark == other.benchmark:
        return chosen
    return chosen.changed(subsets=(), cells=(), other=None)


def named_runs(runs: Sequence[IndexedRun]) -> dict[str, str]:
    """The models' names by the keys of their runs; of runs with one name, with the beginning of their identities."""
    found: dict[str, str] = {}
    for benchmark in dict.fromkeys(one.benchmark for one in runs):
        own = [one for one in runs if one.benchmark == benchmark]
        names = run_names([(one.model, one.folder) for one in own])
        found |= {one.key: visible(name) for one, name in zip(own, names, strict=True)}
    return found


def _by_benchmark(
    runs: Sequence[IndexedRun], names: Mapping[str, str], chosen: str
) -> Iterator[tuple[str, Sequence[Choice]]]:
    for title, own in groupby(runs, key=lambda one: one.title or one.benchmark):
        yield visible(title), [Choice(one.key, names[one.key], one.key == chosen) for one in own]


def _filled(
    index: Index, view: ExplorerView, run: IndexedRun, chosen: Filter, names: Mapping[str, str]
) -> ExplorerView:
    query = chosen.query
    page = index.comparisons(query, chosen.after, chosen.before, _ROWS)
    others = [
        Choice(one.key, names[one.key], one.key == query.other)
        for one in index.runs(run.benchmark)
        if one.key != run.key and not one.error
    ]
    return replace(
        view,
        others=others,
        outcomes=[Choice("", "all", query.outcome is None), *(Choice(o, o, o == query.outcome) for o in OUTCOMES)],
        subsets=list(_subsets(index, run, query.subsets)),
        cells=list(_cells(index, run, query.cells)),
        sorts=[Choice(one, _SORT_NAMES[one], one == query.sort) for one in SORTS],
        values=dict.fromkeys(("q", "margin-min", "margin-max", "length-min", "length-max"), "")
        | {name: value for name, value in chosen.fields() if name not in ("run", "subset", "cell")},
        columns=list(_columns(chosen, names.get(query.other or "", ""))),
        rows=[_shown(chosen, row) for row in page.rows],
        tally=index.tally(query),
        previous="" if page.previous is None else replace(chosen, after=None, before=page.previous).items,
        next="" if page.next is None else replace(chosen, after=page.next, before=None).items,
        all=Filter(type(query)(run.key)).items if chosen.is_narrow else "",
        notes=[visible(note) for note in _notes(index, run, query)],
    )


def _subsets(index: Index, run: IndexedRun, chosen: Sequence[str]) -> Iterator[Choice]:
    present = index.subsets(run.key)
    for name, parts in index.sections(run.benchmark).items():
        if name not in present and any(part in present for part in parts):
            count = sum(present.get(part, 0) for part in parts)
            yield Choice(name, f"{visible(name)} ({count:,})", name.lower() in [one.lower() for one in chosen])
    for name, count in present.items():
        yield Choice(name, f"{visible(name)} ({count:,})", name in chosen)


def _cells(index: Index, run: IndexedRun, chosen: Sequence[str]) -> Iterator[Choice]:
    present = index.cells(run.key)
    if present.keys() >= _STYLED:
        yield from (Choice(level, f"{level} cells", level in chosen) for level in LEVELS[:3])
    if len(present) > 1:
        yield from (Choice(name, f"{visible(name)} ({count:,})", name in chosen) for name, count in present.items())


def _columns(chosen: Filter, other: str) -> Iterator[Column]:
    yield Column("item")
    yield Column("outcome")
    yield _sorted(chosen, "margin", "margin")
    if chosen.query.other is not None:
        yield Column(f"margin of {other}", "number")
    yield _sorted(chosen, "length", "length difference")
    yield Column("subset")
    yield Column("cell")


def _sorted(chosen: Filter, name: str, label: str) -> Column:
    """A column that sorts the list; the other way round if it already does."""
    down = chosen.query.sort == f"-{name}"
    own = chosen.query.sort.removeprefix("-") == name
    address = chosen.changed(sort=f"-{name}" if own and not down else name).items
    if not own:
        return Column(label, "number", address)
    return Column(label, "number", address, "descending" if down else "ascending")


def _shown(chosen: Filter, row: ComparisonRow) -> ShownRow:
    return ShownRow(
        chosen.item(row.item, row.number, row.key(chosen.query)),
        visible(row.name),
        visible(row.excerpt),
        visible(row.subset),
        visible(row.cell),
        row.outcome,
        _signed(row.margin),
        f"{row.length:+,d}",
        _signed(row.other),
    )


def _signed(margin: float | None) -> str:
    return "-" if margin is None else f"{margin:+.4g}"


def _notes(index: Index, run: IndexedRun, query: ItemQuery) -> Iterator[str]:
    if run.note:
        yield f"This run is {run.note}."
    if query.other is not None:
        apart, unscored = index.left_out(run.key, query.other)
        if apart:
            every = count_of(sum(index.cells(run.key).values()), "comparison")
            yield (
                f"{apart:,} of {every} of this run are not in the other one with the same texts and winner: "
                "they are left out."
            )
        if unscored:
            yield f"{count_of(unscored, 'comparison')} without a score of both models: they are left out."
    if not query.text.strip():
        return
    found, total = index.searchable(run.key)
    if run.texts:
        yield f"Texts of {total - found} items cannot be searched: {run.texts}."
    elif run.texts is None and found < total:
        yield f"The search knows {found:,} of {count_of(total, 'item')} so far: load the page again for more."
