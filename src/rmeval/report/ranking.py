"""View of several runs: one table per benchmark, the best run first."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.messages import count_of
from rmeval.report.cells import COUNT, Cell, Number
from rmeval.report.run import (
    about,
    count_columns,
    counts_of,
    data_text,
    headline_of,
    measure_name,
    number_of,
    selection_text,
)
from rmeval.report.views import Row, Table, View
from rmeval.results.align import run_names
from rmeval.results.combined import combined_numbers
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["brief_view", "combined_views", "runs_views"]


def brief_view(result: Result) -> View:
    """Return a view of a run with its headline, without tables."""
    manifest = result.manifest
    record = headline_of(result.records)
    unfinished = "" if manifest["status"] == "complete" else ", unfinished"
    return View(
        manifest["benchmark"]["id"],
        (),
        model=manifest["model"]["name"],
        data=data_text(manifest),
        headline=None
        if record is None
        else (f"{record.metric} {record.scope}".removesuffix(" all"), number_of(record)),
        about=(f"{'no numbers' if record is None else count_of(record.n_items, 'item')}{unfinished}",),
        source=result.path,
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
        view = View(one.name, (table,), model=one.model, about=(about([one.record], {}),))
        found.append(View(one.name, (), model=one.model, headline=("", number)) if brief else view)
    return found


def runs_views(results: Sequence[Result]) -> list[View]:
    """Return one view for the runs on each benchmark and data, the best run first."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        contents = str(result.manifest["identity"].get("contents", ""))
        groups.setdefault((result.manifest["benchmark"]["id"], contents), []).append(result)
    return [_runs_view(own) for own in groups.values()]


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


def _runs_view(results: Sequence[Result]) -> View:
    names = run_names([(result.manifest["model"]["name"], result.path) for result in results])
    entries = [
        _Entry(name, variant, record, result)
        for name, result in zip(names, results, strict=True)
        for variant, record in _headlines(result)
    ]
    numbers = sorted({entry.number for entry in entries if entry.record is not None})
    # Only equal numbers are ranked against each other.
    entries.sort(key=lambda entry: (entry.record is None, entry.number, -_value(entry)))
    return View(
        results[0].manifest["benchmark"]["id"],
        (_table(entries, numbers),),
        data=data_text(results[0].manifest),
        about=_about(entries),
        notes=tuple(_notes(entries)),
        source=Path(os.path.commonpath([result.path for result in results])),
    )


def _table(entries: Sequence[_Entry], numbers: Sequence[str]) -> Table:
    """Return the table: a single number is the name of its column; several numbers have a column for their names."""
    counts = count_columns(entry.record for entry in entries if entry.record is not None)
    if len(numbers) == 1:
        columns = ("model", "variant", numbers[0], *counts, "number", *_STATE)
        keys = ("model", "variant", "value", *counts, "number", *_STATE)
        rows = (Row(one.name, (one.variant, *_counted(one, counts), one.number, *_state(one))) for one in entries)
        return Table("runs", columns, tuple(rows), extra=("number", *_STATE), keys=keys)
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
    """Yield each of a run's scores with its headline."""
    variants = list(dict.fromkeys(record.variant for record in result.records))
    for variant in variants:
        yield variant, headline_of([record for record in result.records if record.variant == variant])
    if not variants:
        yield "", None


def _value(entry: _Entry) -> float:
    return -math.inf if entry.record is None or math.isnan(entry.record.value) else entry.record.value


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
    if len({entry.record.n_items for entry in entries if entry.record is not None}) > 1:
        different = "contain different items"
    elif len({_choice(entry.result) for entry in entries}) > 1:
        different = "were made with different selections of items"
    if different:
        yield f"the runs {different}: use rmeval compare to compare models on their common items"
    for entry in entries:
        if entry.record is None:
            yield f"{entry.name} has no numbers"
    for name in dict.fromkeys(entry.name for entry in entries if entry.result.manifest["status"] != "complete"):
        yield f"{name} is unfinished: run its command again to continue"
