"""Views of a sweep: what would run, and each model's numbers beside its published ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.messages import count_of, shortened
from rmeval.metrics.targets import merit
from rmeval.published import published_boards
from rmeval.published.beside import Beside, beside_published, data_note
from rmeval.report.cells import GAP, Cell, Joined, Number, Unit
from rmeval.report.run import about, measure_name, number_of
from rmeval.report.views import Row, Table, View
from rmeval.results.described import selection_text
from rmeval.sweep.models_file import SweepModel
from rmeval.sweep.runs_there import SweepRun

__all__ = ["sweep_plan_view", "sweep_views"]

_MEANING = (
    "confirmed: the published number lies inside the interval; contradicted: it does not. Both numbers are of the same "
    "items, so that a difference of some points is worth a look even inside the interval"
)


def _billions(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:g}B"


_BILLIONS = Unit(_billions, _billions)


def sweep_plan_view(models: Sequence[tuple[SweepModel, str]], benchmarks: Mapping[str, int]) -> View:
    """Return the view of a sweep that has not run.

    Args:
        models: The models, each with what is known of its runs.
        benchmarks: The number of items of each benchmark.
    """
    rows = tuple(Row(one.label, (one.kind, _size(one), _card(one), state)) for one, state in models)
    known = [one.parameters for one, _ in models if one.parameters is not None]
    unknown = len(models) - len(known)
    items = ", ".join(f"{benchmark} ({count_of(count, 'item')})" for benchmark, count in benchmarks.items())
    return View(
        "sweep",
        (Table("models", ("model", "kind", "parameters", "card", "runs"), rows, left=("kind", "card", "runs")),),
        about=(
            f"{count_of(len(models), 'model')} on {items}",
            f"{sum(known):g} billion parameters in all{f', and {unknown} of unknown size' if unknown else ''}",
        ),
    )


def _size(model: SweepModel) -> Number:
    return Number(math.nan if model.parameters is None else model.parameters, unit=_BILLIONS)


def _card(model: SweepModel) -> str:
    """The card that a model is loaded by, with its status."""
    return "" if model.card is None else f"{model.card.name} ({model.card.status})"


def sweep_views(runs: Mapping[str, Sequence[SweepRun]]) -> list[View]:
    """Return a view for each benchmark: the models, best first, beside their published numbers.

    Args:
        runs: The models on each benchmark, by its id.
    """
    return [_view(benchmark, own) for benchmark, own in runs.items()]


@dataclass(frozen=True, slots=True)
class _Line:
    """A model on a benchmark with its numbers, the headline first."""

    run: SweepRun
    numbers: tuple[Beside, ...]

    @property
    def merit(self) -> float:
        """What the rows are sorted by."""
        if not self.numbers or math.isnan(value := self.numbers[0].record.value):
            return -math.inf
        return merit(self.numbers[0].record.metric, value)


def _line(benchmark: str, run: SweepRun) -> _Line:
    if run.result is None:
        return _Line(run, ())
    return _Line(run, beside_published(run.result, *run.model.published_names(benchmark)))


def _view(benchmark: str, runs: Sequence[SweepRun]) -> View:
    lines = [_line(benchmark, one) for one in runs]
    lines.sort(key=lambda line: -line.merit)
    records = [line.numbers[0].record for line in lines if line.numbers]
    return View(
        benchmark,
        (_main_table(lines), *_parts_table(lines)),
        about=(about(records, _selection(runs)),) if records else (),
        notes=tuple(_notes(benchmark, lines)),
    )


_PUBLISHED = ("published", "difference", "verdict")
_WORDS = ("verdict", "state", "reason", "contradicted")


def _main_table(lines: Sequence[_Line]) -> Table:
    """Return the table of the headlines; the columns of published numbers are shown if there are any."""
    some = any(line.numbers and line.numbers[0].published is not None for line in lines)
    order, extra = ((*_PUBLISHED, "state"), ()) if some else (("state",), _PUBLISHED)
    rows = []
    for line in lines:
        value, *published = _cells(line.numbers[0]) if line.numbers else (None, None, None, "")
        there = dict(zip((*_PUBLISHED, "state"), (*published, _state(line.run)), strict=True))
        cells = (value, *(there[name] for name in (*order, *extra)), line.run.reason)
        rows.append(Row(line.run.model.label, cells, faint=not line.numbers))
    return Table(
        "sweep", ("model", "value", *order, *extra, "reason"), tuple(rows), extra=(*extra, "reason"), left=_WORDS
    )


def _selection(runs: Sequence[SweepRun]) -> Mapping[str, object]:
    """The selection of the items, if it is the same for all runs."""
    found = [one.result.manifest["selection"] for one in runs if one.result is not None]
    same = len({selection_text(one) for one in found}) == 1
    return found[0] if same else {}


def _cells(one: Beside) -> tuple[Cell, ...]:
    published = None if one.published is None else Number(one.published)
    difference = None if one.difference is None else Number(one.difference, unit=GAP)
    marked = " *" if one.row is not None and one.row.contradicts else ""
    return number_of(one.record), published, difference, f"{one.verdict}{marked}"


def _parts_table(lines: Sequence[_Line]) -> Iterator[Table]:
    """Yield the table of the parts whose numbers are published: a run's number and the published one in one cell."""
    compared = [line for line in lines if line.numbers[1:] and not line.numbers[0].reason]
    names = list(dict.fromkeys(_name(one) for line in compared for one in line.numbers[1:]))
    rows = []
    for line in compared:
        there = {_name(one): one for one in line.numbers[1:]}
        wrong = ", ".join(name for name, one in there.items() if one.verdict == "contradicted")
        rows.append(Row(line.run.model.label, (*(_pair(there.get(name)) for name in names), wrong)))
    if rows:
        yield Table(
            "parts",
            ("model", *names, "contradicted"),
            tuple(rows),
            "parts: this run / published",
            left=("contradicted",),
        )


def _name(one: Beside) -> str:
    return measure_name((one.record.metric, one.record.scope))


def _pair(one: Beside | None) -> Cell:
    if one is None or one.published is None:
        return None
    return Joined(("value", "published"), (number_of(one.record), Number(one.published)), mark=" / ")


def _state(run: SweepRun) -> str:
    """What a reader must know of a run: that it failed, or is not of all items."""
    chosen = "" if run.result is None else selection_text(run.result.manifest["selection"])
    return "; ".join(filter(None, (f"partial: {chosen}" if chosen else "", run.state)))


def _notes(benchmark: str, lines: Sequence[_Line]) -> Iterator[str]:
    for line in lines:
        if line.run.reason:
            yield f"{line.run.state}: {line.run.model.label}, {line.run.reason}"
    yield from dict.fromkeys(data_note(line.run.result) for line in lines if line.run.result is not None)
    if not published_boards(benchmark):
        yield f"rmeval has no published results of {benchmark}"
    found = [line.numbers[0] for line in lines if line.numbers]
    apart: dict[str, list[str]] = {}
    for line in lines:
        if line.numbers and line.numbers[0].board is not None and (reason := line.numbers[0].reason):
            apart.setdefault(reason, []).append(shortened(line.run.model.label, 60))
    for reason, names in apart.items():
        yield f"not comparable with its published number, because a run {reason}: {', '.join(names)}"
    for board in {one.board.id: one.board for one in found if one.board is not None}.values():
        yield f"published: {board.name}{f' ({board.date})' if board.date else ''}, {board.source}"
    if any(one.row is not None and one.row.contradicts for one in found):
        yield "*: the published row contradicts itself: `rmeval list published` has the reasons"
    if any(one.verdict in ("confirmed", "contradicted") for one in found):
        yield _MEANING
