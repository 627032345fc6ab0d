"""The view of several runs: one table per benchmark, best first."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.messages import count_of
from rmeval.report.cells import Cell
from rmeval.report.run import about, count_columns, counts_of, data_text, headline_of, measure_name, number_of
from rmeval.report.views import Row, Table, View
from rmeval.results.align import run_names
from rmeval.results.combined import combined_numbers
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["brief_view", "combined_views", "runs_views"]


def brief_view(result: Result) -> View:
    """A run and its headline, without tables."""
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


def combined_views(results: Sequence[Result]) -> list[View]:
    """The numbers that combine runs on several benchmarks, for models that have all of these runs."""
    return [
        View(one.name, (), model=one.model, headline=("", number_of(one.record))) for one in combined_numbers(results)
    ]


def runs_views(results: Sequence[Result]) -> list[View]:
    """A table for the runs of each benchmark on the same data, best first."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        contents = str(result.manifest["identity"].get("contents", ""))
        groups.setdefault((result.manifest["benchmark"]["id"], contents), []).append(result)
    return [_runs_view(own) for own in groups.values()]


@dataclass(frozen=True)
class _Entry:
    """A line of the table: a run and one of its scores."""

    name: str
    variant: str
    record: Record | None
    result: Result

    @property
    def number(self) -> str:
        """What the headline measures."""
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
    # What measures something else is not ranked among the others.
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
    """One number heads its column; several have a column for their names."""
    counts = count_columns(entry.record for entry in entries if entry.record is not None)
    if len(numbers) == 1:
        columns = ("model", "variant", numbers[0], *counts, "number", "status", "run")
        keys = ("model", "variant", "value", *counts, "number", "status", "run")
        rows = (Row(one.name, (one.variant, *_counted(one, counts), one.number, *_state(one))) for one in entries)
        return Table("runs", columns, tuple(rows), extra=("number", "status", "run"), keys=keys)
    columns = keys = ("model", "variant", "number", "value", *counts, "status", "run")
    rows = (Row(one.name, (one.variant, one.number, *_counted(one, counts), *_state(one))) for one in entries)
    return Table("runs", columns, tuple(rows), extra=("status", "run"), keys=keys)


def _about(entries: Sequence[_Entry]) -> tuple[str, ...]:
    records = [entry.record for entry in entries if entry.record is not None]
    selections = [entry.result.manifest["selection"] for entry in entries]
    same = all(one == selections[0] for one in selections)
    return (about(records, selections[0] if same else {}),) if records else ()


def _headlines(result: Result) -> Iterator[tuple[str, Record | None]]:
    """Each of a run's scores with the number that stands for it."""
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


def _state(entry: _Entry) -> tuple[str, str]:
    return entry.result.manifest["status"], str(entry.result.path)


def _notes(entries: Sequence[_Entry]) -> Iterator[str]:
    """Notes that all runs share, and notes on single runs."""
    told = [entry.result.notes for entry in entries if entry.record is not None]
    yield from (note for note in (told[0] if told else ()) if all(note in notes for notes in told))
    if len({entry.record.n_items for entry in entries if entry.record is not None}) > 1:
        yield "the runs contain different items: use rmeval compare to compare models on their common items"
    for entry in entries:
        if entry.record is None:
            yield f"{entry.name} has no numbers"
    for name in dict.fromkeys(entry.name for entry in entries if entry.result.manifest["status"] != "complete"):
        yield f"{name} is unfinished: give the command that started it again to continue"
