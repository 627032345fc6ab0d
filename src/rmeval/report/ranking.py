"""View of several runs: one table per benchmark, the best run first."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.messages import count_of
from rmeval.metrics.composition import absence, parts
from rmeval.metrics.targets import merit
from rmeval.published import PublishedBoard
from rmeval.report.cells import COUNT, Cell, Number, percent
from rmeval.report.published import board_of, board_rows, combined_notes, published_notes, ranking_notes
from rmeval.report.run import (
    about,
    count_columns,
    counts_of,
    headline_of,
    measure_name,
    measures_of,
    number_of,
    without_lone_parts,
)
from rmeval.report.views import Row, Table, View
from rmeval.results.align import run_names
from rmeval.results.combined import combined_numbers
from rmeval.results.described import data_text, selection_text
from rmeval.results.groups import data_labels
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["brief_view", "combined_views", "runs_views"]


def brief_view(result: Result) -> View:
    """Return a view of a run with its headline, or why there is none, without tables."""
    manifest = result.manifest
    record = headline_of(result.records)
    absent = absence(measures_of(result.records), result.notes)
    items = sum(one.n_items for one in _parts(result)) if record is None else record.n_items
    count = count_of(items, "item") if result.records else "no numbers"
    unfinished = "" if manifest["status"] == "complete" else ", unfinished"
    return View(
        manifest["benchmark"]["id"],
        (),
        model=manifest["model"]["name"],
        data=data_text(manifest),
        headline=None
        if record is None
        else (f"{record.metric} {record.scope}".removesuffix(" all"), number_of(record)),
        about=(f"{count}{unfinished}",),
        source=result.path,
        absent=absent,
    )


def combined_views(results: Sequence[Result], brief: bool = False) -> list[View]:
    """The numbers that combine runs on several benchmarks, for models that have all of these runs.

    Args:
        results: The runs.
        brief: Whether the number is the headline of a view without tables.
    """
    found = []
    for one in combined_numbers(results):
        number = number_of(one.record)
        row = Row("overall", (number, Number(one.record.n_items, unit=COUNT)), strong=True)
        table = Table("combined", ("", "value", "items"), (row,), layout="lines")
        notes = combined_notes(one, results)
        view = View(one.name, (table,), model=one.model, about=(about([one.record], {}),), notes=notes)
        found.append(View(one.name, (), model=one.model, headline=("", number)) if brief else view)
    return found


def runs_views(results: Sequence[Result], published: bool = False) -> list[View]:
    """Return one view for the runs on each benchmark and data, the best run first.

    Args:
        results: The runs.
        published: Whether to add the rows of published boards to rankings of comparable runs.
    """
    groups: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        contents = str(result.manifest["identity"].get("contents", ""))
        groups.setdefault(result.manifest["benchmark"]["id"], {}).setdefault(contents, []).append(result)
    return [
        _runs_view(of_one[contents], label, published)
        for of_one in groups.values()
        for contents, label in data_labels({contents: own[0].manifest for contents, own in of_one.items()}).items()
    ]


@dataclass(frozen=True)
class _Entry:
    """A row of the table: a run and one of its scores."""

    name: str
    variant: str
    record: Record | None
    result: Result

    @property
    def number(self) -> str:
        """Name of the headline number."""
        if self.record is None:
            return ""
        metric, scope = self.record.metric, self.record.scope
        return "accuracy" if (metric, scope) == ("accuracy", "all") else measure_name((metric, scope))


def _runs_view(results: Sequence[Result], data: str, published: bool) -> View:
    names = run_names([(result.manifest["model"]["name"], result.path) for result in results])
    entries = [
        _Entry(name, variant, record, result)
        for name, result in zip(names, results, strict=True)
        for variant, record in _headlines(result)
    ]
    numbers = sorted({entry.number for entry in entries if entry.record is not None})
    # Only equal numbers are ranked against each other.
    entries.sort(key=lambda entry: (entry.record is None, entry.number, -_merit(entry)))
    absent = _absent(entries)
    by_name = {entry.name: entry.result for entry in entries}
    first = entries[0].record
    board = board_of(by_name, (first.metric, first.scope)) if published and first and len(numbers) == 1 else None
    places = published_notes(board, by_name) if published else ranking_notes(by_name)
    return View(
        results[0].manifest["benchmark"]["id"],
        (_table(entries, numbers, board),),
        data=data,
        about=_about(entries),
        notes=(*(note for note in _notes(entries) if note != absent), *places),
        source=Path(os.path.commonpath([result.path for result in results])),
        absent=absent,
    )


def _absent(entries: Sequence[_Entry]) -> str:
    """Why official headlines do not exist: of all runs, or of each run that has none."""
    found = {
        entry.name: absence(measures_of(entry.result.records), entry.result.notes)
        for entry in entries
        if entry.record is not None
    }
    reasons = set(found.values())
    if len(reasons) == 1:
        return reasons.pop()
    return "; ".join(f"{name}: {reason}" for name, reason in found.items() if reason)


def _table(entries: Sequence[_Entry], numbers: Sequence[str], board: PublishedBoard | None) -> Table:
    """Return the table: a single number is the name of its column; several numbers have a column for their names.

    A board, which is of a single number, adds its rows.
    """
    counts = count_columns(entry.record for entry in entries if entry.record is not None)
    if len(numbers) == 1:
        columns = ("model", "variant", numbers[0], *counts, "number", *_STATE)
        keys = ("model", "variant", "value", *counts, "number", *_STATE)
        ranked = [
            (_merit(one), Row(one.name, (one.variant, *_counted(one, counts), one.number, *_state(one))))
            for one in entries
        ]
        if board is not None:
            ranked += board_rows(board, len(counts), numbers[0], len(_STATE))
            ranked.sort(key=lambda own: -own[0])
        return Table("runs", columns, tuple(row for _, row in ranked), extra=("number", *_STATE), keys=keys)
    columns = keys = ("model", "variant", "number", "value", *counts, *_STATE)
    rows = (Row(one.name, (one.variant, one.number, *_counted(one, counts), *_state(one))) for one in entries)
    return Table("runs", columns, tuple(rows), extra=_STATE, keys=keys)


def _about(entries: Sequence[_Entry]) -> tuple[str, ...]:
    records = [entry.record for entry in entries if entry.record is not None]
    same = len({_choice(entry.result) for entry in entries}) == 1
    return (about(records, entries[0].result.manifest["selection"] if same else {}),) if records else ()


def _choice(result: Result) -> str:
    """Which items were selected; empty if all were."""
    return selection_text(result.manifest["selection"])


def _headlines(result: Result) -> Iterator[tuple[str, Record | None]]:
    """Yield each of a run's scores with its headline, or with the number of each part if there is no headline."""
    variants = list(dict.fromkeys(record.variant for record in result.records))
    for variant in variants:
        if top := headline_of([record for record in result.records if record.variant == variant]):
            yield variant, top
        else:
            yield from ((variant, record) for record in _parts(result, variant))
    if not variants:
        yield "", None


def _parts(result: Result, variant: str | None = None) -> list[Record]:
    """Return the main number of each part, of one of the run's scores; of its first if None."""
    records = without_lone_parts(result.records)
    own = [record for record in records if record.variant == (variant or records[0].variant)]
    main = parts(measures_of(own))
    return [record for record in own if (record.metric, record.scope) in main]


def _merit(entry: _Entry) -> float:
    if entry.record is None or math.isnan(entry.record.value):
        return -math.inf
    return merit(entry.record.metric, entry.record.value)


def _counted(entry: _Entry, counts: Sequence[str]) -> tuple[Cell, ...]:
    record = entry.record
    return (None,) * (1 + len(counts)) if record is None else (number_of(record), *counts_of(record, counts))


_STATE = ("data", "selection", "status", "run")


def _state(entry: _Entry) -> tuple[str, ...]:
    manifest = entry.result.manifest
    return data_text(manifest), _choice(entry.result), manifest["status"], str(entry.result.path)


def _notes(entries: Sequence[_Entry]) -> Iterator[str]:
    """Yield notes that all runs share, and notes on single runs."""
    told = [entry.result.notes for entry in entries if entry.record is not None]
    yield from (note for note in (told[0] if told else ()) if all(note in notes for notes in told))
    different = ""
    sizes = {(entry.number, entry.record.n_items) for entry in entries if entry.record is not None}
    if len(sizes) > len({number for number, _ in sizes}):
        different = "contain different items"
    elif len({_choice(entry.result) for entry in entries}) > 1:
        different = "were made with different selections of items"
    if different:
        yield f"the runs {different}: use rmeval compare to compare models on their common items"
    for entry in entries:
        if entry.record is None:
            yield f"{entry.name} has no numbers"
    yield from _judge_notes(entries)
    for name in dict.fromkeys(entry.name for entry in entries if entry.result.manifest["status"] != "complete"):
        yield f"{name} is unfinished: run its command again to continue"


def _judge_notes(entries: Sequence[_Entry]) -> Iterator[str]:
    """Yield what random verdicts get by each score of judges, and which of their numbers have too many failures."""
    chance: dict[str, set[str]] = {}
    for entry in entries:
        if entry.result.judging is not None and entry.record is not None and "random" in entry.record.null:
            chance.setdefault(entry.variant, set()).add(percent(entry.record.null["random"]))
    if len(set[str]().union(*chance.values())) > 1:
        levels = (f"{' or '.join(sorted(found))} by {variant}" for variant, found in sorted(chance.items()))
        yield f"random verdicts get {', '.join(levels)}: compare a judge's number with its own chance level"
    if names := list(dict.fromkeys(entry.name for entry in entries if not entry.result.publishable)):
        yield f"not publishable, because too many outputs have no verdict: {', '.join(names)}"
