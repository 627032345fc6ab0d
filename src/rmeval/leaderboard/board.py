"""Boards: the models of one benchmark in order, with rank intervals, null baselines and published results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.errors import RunError
from rmeval.metrics.composition import Measure, absence, headline
from rmeval.metrics.targets import merit
from rmeval.models.cards import Descriptor, descriptor_of
from rmeval.published import PublishedBoard, PublishedRow, place_notes, published_boards
from rmeval.report.run import measures_of, without_lone_parts
from rmeval.results.align import run_names
from rmeval.results.compare import compare_runs
from rmeval.results.described import selection_text
from rmeval.results.groups import by_data
from rmeval.results.result import Result
from rmeval.types import Record

if TYPE_CHECKING:
    from rmeval.store.manifest import Manifest

__all__ = ["BASELINE", "Board", "BoardNumber", "BoardRow", "make_boards"]

BASELINE = "baseline"
"""The kind of null baselines."""
_SUMS = ("average", "section", "composite", "language", "category")
"""Metrics of a part that consists of several subsets."""
_MOST = 24
"""Numbers of a board; of more, the accuracies of subsets are left out."""


@dataclass(frozen=True, slots=True)
class BoardNumber:
    """A number on a board.

    Attributes:
        value: The number; accuracies are between 0 and 1.
        ci: Its 95% interval, if it is known.
    """

    value: float
    ci: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A row of a board: a run, a null baseline, or a published result.

    Attributes:
        model: The model's name, with the beginning of the run's identity if several runs share it.
        kind: The kind of model, such as `classifier`; `baseline` for null baselines.
        values: Its numbers by metric and scope.
        rank: The range of its ranks among the runs of the board that contain the same items; None for other rows.
        run: The run folder; None without a run.
        published: The published result that the row shows; None for a run and for a null baseline.
        descriptor: Facts about the model, if there are any.
        notes: Notes on this row, one sentence each.
    """

    model: str
    kind: str
    values: Mapping[Measure, BoardNumber]
    rank: tuple[int, int] | None = None
    run: Path | None = None
    published: PublishedRow | None = None
    descriptor: Descriptor | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_baseline(self) -> bool:
        """Whether this is a null baseline."""
        return self.kind == BASELINE


@dataclass(frozen=True, slots=True)
class Board:
    """The models of one benchmark, best first.

    Attributes:
        benchmark: The benchmark's id.
        title: The benchmark's id, with its data if there are boards of other data of the same benchmark.
        headline: The number that orders the rows; None if no number stands for all items.
        measures: The numbers of the columns, the headline first.
        rows: The rows, best first.
        notes: Notes for the reader, one sentence each.
    """

    benchmark: str
    title: str
    headline: Measure | None
    measures: tuple[Measure, ...]
    rows: tuple[BoardRow, ...]
    notes: tuple[str, ...] = ()


def make_boards(results: Sequence[Result], published: bool = True) -> tuple[Board, ...]:
    """Make one board for each benchmark, or for each data of a benchmark that have few items in common.

    Args:
        results: The results of runs.
        published: Whether to add the published results that come with rmeval.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.manifest["benchmark"]["id"]), []).append(result)
    return tuple(
        _board(name, title, own, published_boards(name) if published else ())
        for name in sorted(groups)
        for title, own in _on_same_data(name, groups[name])
    )


def _on_same_data(name: str, results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Yield the results in groups on the same data, with a name of each group."""
    folders: dict[Path, Manifest] = {one.path: one.manifest for one in results}  # type: ignore[misc]
    of_folder = {one.path: one for one in results}
    for title, own in by_data(name, folders).items():
        yield title, [of_folder[folder] for folder in own]


def _board(name: str, title: str, results: Sequence[Result], published: Sequence[PublishedBoard]) -> Board:
    shown = _shown_measures(results)
    top = headline(shown)
    measures = _in_columns(shown, top)
    rows = _ranked(_run_rows(results, measures, bool(published)), results)
    nulls = _null_rows(results, measures, {row.model for row in rows})
    rows = [*rows, *nulls, *_published_rows(published, measures)]
    missing = {absence(measures_of(one.records), one.notes) for one in results} if top is None else set()
    notes = (*sorted(missing - {""}), *_sources(published))
    apart = {one.path for one in results} - {one.path for one in _whole(results)}
    return Board(name, title, top, measures, tuple(_in_order(rows, top, apart)), notes)


def _sources(published: Sequence[PublishedBoard]) -> Iterator[str]:
    """Yield a note on each source of published rows."""
    for board in published:
        when = f", {board.date}" if board.date else ""
        yield f"* published results, not computed here: {board.name} ({board.source}{when})"
        yield from (f"{board.name}: {note}" for note in board.notes)


def _published_rows(published: Sequence[PublishedBoard], measures: Sequence[Measure]) -> Iterator[BoardRow]:
    """Yield the published rows that have any number of the columns; of a model in several sources, the first."""
    seen: set[str] = set()
    for board in published:
        for row in board.rows:
            values = {measure: BoardNumber(row.values[measure]) for measure in measures if measure in row.values}
            if values and row.model not in seen:
                seen.add(row.model)
                notes = (f"published: {board.name}{f', {board.date}' if board.date else ''}", *row.notes)
                known = descriptor_of(row.model)
                yield BoardRow(row.model, row.kind, values, published=row, descriptor=known, notes=notes)


def _shown_measures(results: Sequence[Result]) -> list[Measure]:
    """The numbers of the columns: those of any run but single cells, and of very many not those of subsets."""
    found = dict.fromkeys(
        measure
        for result in results
        for measure in measures_of(without_lone_parts(result.records))
        if not measure[0].startswith("cell:")
    )
    if len(found) <= _MOST:
        return list(found)
    return [measure for measure in found if measure[0] != "accuracy" or measure[1] == "all"]


def _in_columns(shown: Sequence[Measure], top: Measure | None) -> tuple[Measure, ...]:
    """The numbers from the most general on: the headline, numbers of all items, averages of parts, and the others."""

    def place(measure: Measure) -> int:
        if measure == top:
            return 0
        return 1 if measure[1] == "all" else 2 if measure[0] in _SUMS else 3

    return tuple(sorted(shown, key=place))


def _first_records(result: Result) -> dict[Measure, Record]:
    """The numbers of the run's first score."""
    return {(one.metric, one.scope): one for one in result.records if one.variant == result.records[0].variant}


def _run_rows(results: Sequence[Result], measures: Sequence[Measure], with_place: bool) -> list[BoardRow]:
    names = run_names([(str(one.manifest["model"]["name"]), one.path) for one in results])
    return [
        BoardRow(
            name,
            str(result.manifest["model"]["kind"]),
            {
                measure: BoardNumber(record.value, record.ci)
                for measure, record in _first_records(result).items()
                if measure in measures
            },
            run=result.path,
            descriptor=descriptor_of(str(result.manifest["model"]["name"])),
            notes=tuple(_row_notes(result, with_place)),
        )
        for name, result in zip(names, results, strict=True)
    ]


def _row_notes(result: Result, with_place: bool) -> Iterator[str]:
    if chosen := selection_text(result.manifest["selection"]):
        yield f"on a selection of the items: {chosen}"
    elif result.manifest["status"] != "complete":
        yield "unfinished"
    if with_place:
        yield from place_notes(result)
    if not result.publishable:
        yield "too many outputs of the judge have no verdict"
    if others := list(dict.fromkeys(one.variant for one in result.records))[1:]:
        yield f"the score {result.records[0].variant}; the run also has {', '.join(others)}"


def _ranked(rows: Sequence[BoardRow], results: Sequence[Result]) -> list[BoardRow]:
    """The rows, with rank intervals of the models on the largest set of items that runs have in common."""
    whole = _whole(results)
    ranks = _ranks_of([one for row, one in zip(rows, results, strict=True) if one in whole and not row.is_baseline])
    return [replace(row, rank=ranks.get(row.run)) for row in rows]


def _whole(results: Sequence[Result]) -> list[Result]:
    """The complete runs on the largest set of items; of several sets of this size, the most frequent."""
    groups = Counter(map(_items_of, (one for one in results if _is_complete(one))))
    if not groups:
        return []
    largest = max(groups, key=lambda items: (items[0], groups[items], items))
    return [one for one in results if _is_complete(one) and _items_of(one) == largest]


def _is_complete(result: Result) -> bool:
    return bool(result.records) and result.manifest["status"] == "complete"


def _items_of(result: Result) -> tuple[int, str, str]:
    """What runs that are ranked together share: the number of items, the selection, and the score rule."""
    most = max(record.n_items for record in result.records)
    return most, selection_text(result.manifest["selection"]), result.records[0].rule


def _ranks_of(results: Sequence[Result]) -> dict[Path | None, tuple[int, int]]:
    """The rank interval of each run by its folder; nothing if the runs cannot be compared."""
    if len(results) < 2:
        return {one.path: (1, 1) for one in results}
    places = {one.path.resolve(): one.path for one in results}
    try:
        found = compare_runs([one.path for one in results], details=False)
    except RunError:
        return {}  # Such as runs of a custom benchmark, whose code does not run here.
    return {
        places[entry.path]: entry.rank
        for one in found
        for entry in one.entries
        if entry.path is not None and entry.rank is not None
    }


def _null_rows(results: Sequence[Result], measures: Sequence[Measure], there: set[str]) -> Iterator[BoardRow]:
    """Yield a row for each null baseline without a run, from the numbers beside those of the most complete run."""
    known = _whole(results) or [one for one in results if one.records]
    if not known:
        return
    records = _first_records(known[0])
    names = dict.fromkeys(name for record in records.values() for name in record.null)
    for name in names:
        values = {
            measure: BoardNumber(records[measure].null[name])
            for measure in measures
            if measure in records and name in records[measure].null
        }
        if values and f"{BASELINE}:{name}" not in there:
            yield BoardRow(f"{BASELINE}:{name}", BASELINE, values, notes=("ties count one half",))


def _in_order(rows: Sequence[BoardRow], top: Measure | None, apart: Collection[Path | None]) -> list[BoardRow]:
    """The rows, best first by the headline; then those without it or on other items: runs, baselines, published."""

    def place(row: BoardRow) -> tuple[bool, float, str]:
        number = None if top is None else row.values.get(top)
        if top is None or number is None or math.isnan(number.value) or row.run in apart:
            return True, 2.0 if row.published else float(row.run is None), row.model
        return False, -merit(top[0], number.value), row.model

    return sorted(rows, key=place)
