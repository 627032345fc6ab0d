"""View of a run, for `rmeval show`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rmeval.metrics.composition import GAP, Measure, absence, headline
from rmeval.metrics.scoring.style_substance import DOMAINS, LEVELS, PARTS
from rmeval.metrics.targets import best, best_note
from rmeval.models.cards import descriptor_of
from rmeval.published import place_notes
from rmeval.report.cells import COUNT, COUNT_OR_DASH, Cell, Joined, Number
from rmeval.report.judging import judging_tables
from rmeval.report.views import Row, Table, View
from rmeval.results.described import data_text, selection_text
from rmeval.results.result import WITHOUT_ERRATA, Result
from rmeval.types import STYLES, Record

__all__ = [
    "about",
    "count_columns",
    "counts_of",
    "headline_of",
    "measure_name",
    "measures_of",
    "number_of",
    "run_view",
    "shown_nulls",
    "without_lone_parts",
]

Records = Mapping[Measure, Record]

_NULL_NOTE = "ties count one half (random gets 50.0 if it is not shown)"
_LONG = 24
"""Maximum number of rows; longer tables show only the averages."""
_SUMS = ("average", "section", "overall")
_ACCURACIES = ("accuracy", "section", "language", "category", "overall", "average")


def run_view(result: Result) -> View:
    """Return the view of a run: its headline, then the numbers of its parts; of its first score, then by score."""
    variants = list(dict.fromkeys(record.variant for record in result.records))
    records = without_lone_parts(result.records)
    main = [record for record in records if record.variant in variants[:1]]
    manifest = result.manifest
    tables: list[Table] = []
    if _has_matrix(main):
        tables += _style_substance({(record.metric, record.scope): record for record in main})
    elif main:
        tables.append(_accuracies([record for record in main if record.metric != WITHOUT_ERRATA]))
    tables += _sound(main)
    if len(variants) > 1:
        tables = [_of_variant(table, variants[0]) for table in tables]
        tables.append(_other_scores(records, variants, chance=result.judging is not None))
    if result.judging is not None:
        tables += judging_tables(result.judging)
    absent = absence(measures_of(result.records), result.notes)
    card = descriptor_of(str(manifest["model"]["name"]))
    return View(
        manifest["benchmark"]["id"],
        tuple(tables),
        model=manifest["model"]["name"],
        data=data_text(manifest),
        about=(
            about(result.records, manifest["selection"]),
            *([f"score: {variants[0]}"] if len(variants) == 1 and variants[0] != "score" else []),
            *([f"model: {card.facts}"] if card is not None and card.facts else []),
        ),
        status="" if manifest["status"] == "complete" else "unfinished: run the same command again to continue",
        notes=(*(note for note in result.notes if note != absent), *place_notes(result)),
        source=result.path,
        absent=absent,
    )


def _of_variant(table: Table, variant: str) -> Table:
    """Return a table that names the score that its numbers belong to."""
    return replace(table, title=f"{table.title}; score: {variant}" if table.title else f"score: {variant}")


def measures_of(records: Iterable[Record]) -> list[Measure]:
    """Return the distinct numbers of a run, without those that exclude errata."""
    return list(dict.fromkeys((one.metric, one.scope) for one in records if one.metric != WITHOUT_ERRATA))


def headline_of(records: Sequence[Record]) -> Record | None:
    """Return the headline record of a run, of its first score; None if there is no headline."""
    found: dict[Measure, Record] = {}
    for record in records:
        found.setdefault((record.metric, record.scope), record)
    top = headline(measures_of(records))
    return None if top is None else found[top]


def without_lone_parts(records: Sequence[Record]) -> list[Record]:
    """Return the records without those of a part that is all of its domain, which would be shown twice."""
    there = {record.scope for record in records}
    halves = [[name for name in subsets if name in there] for subsets in DOMAINS.values() if len(subsets) > 1]
    lone = {own[0] for own in halves if len(own) == 1}
    return [record for record in records if _of(record)[1] not in lone]


def _of(record: Record) -> Measure:
    """Return metric and scope of a record; of one that excludes errata, those of the number that it belongs to."""
    if record.metric != WITHOUT_ERRATA:
        return record.metric, record.scope
    metric, _, scope = record.scope.partition(" ")
    return metric, scope


def about(records: Sequence[Record], selection: Mapping[str, Any]) -> str:
    """Describe unit, intervals, score rule and selection."""
    # The records have details of each method in brackets.
    intervals = " and ".join(sorted({record.ci_method.partition("(")[0] for record in records if record.ci_method}))
    rule = records[0].rule if records else ""
    chosen = selection_text(selection)
    found = ["numbers in %", *([f"95% intervals by {intervals}"] if intervals else [])]
    text = f"{', '.join(found)}; ties and failures: {rule}" if records else "no numbers"
    return f"{text}; selection: {chosen}" if chosen else text


def number_of(record: Record, side: int = 0) -> Number:
    """Return a record's value with its interval."""
    return Number(record.value, record.ci, side=side)


def _style_substance(records: Records) -> Iterator[Table]:
    scopes = list(dict.fromkeys(scope for metric, scope in records if metric.startswith("cell:")))
    levels = [level for level in LEVELS if any(metric == level for metric, _ in records)]
    counts = count_columns(records.values())
    # The counts of the average are those of all nine cells.
    rows = (
        _scope_row(
            scope,
            *(number_of(records[level, scope]) for level in levels),
            *counts_of(records[levels[-1], scope], counts),
        )
        for scope in (scopes if levels else ())
    )
    if ("overall", "all") in records:
        own = (Row("overall", (number_of(records["overall", "all"]),), strong=True), _scope_levels(records, "all"))
        yield Table("overall", ("", "value"), own, layout="lines")
    if levels:
        yield Table("levels", ("", *(level.capitalize() for level in levels), *counts), tuple(rows), layout="stacked")
    if levels == list(LEVELS):
        shown = shown_nulls(records.values())
        rows = (_scope_row(scope, *(_levels(records, scope, name) for name in shown), strong=False) for scope in scopes)
        title = f"null baselines, Easy/Normal/Hard, {_NULL_NOTE}"
        yield Table("null baselines", ("", *shown), tuple(rows), title)
    for scope in ["all"] if "all" in scopes else [scope for scope in scopes if scope not in PARTS]:
        yield _matrix(records, scope)


def _scope_row(scope: str, *cells: Cell, strong: bool | None = None) -> Row:
    strong = scope == "all" if strong is None else strong
    return Row(scope, cells, level=int(scope in PARTS), strong=strong)


def _scope_levels(records: Records, scope: str) -> Row:
    """Return a row with Easy, Normal and Hard of a scope in one cell."""
    numbers = tuple(Number(records[level, scope].value) for level in LEVELS[:3])
    return Row("/".join(level.capitalize() for level in LEVELS[:3]), (Joined(LEVELS[:3], numbers),))


def _levels(records: Records, scope: str, null: str) -> Joined:
    shown = LEVELS[:3]
    return Joined(shown, tuple(Number(records[level, scope].null[null]) for level in shown))


def _matrix(records: Records, scope: str) -> Table:
    """Return a domain's matrix, in which the cells of Easy and those of Hard have different colours."""
    title = "all domains (macro average)" if scope == "all" else scope
    rows = (
        Row(
            _style(chosen),
            tuple(
                _cell(
                    records.get((f"cell:{chosen}/{rejected}", scope)),
                    (STYLES.index(chosen) > STYLES.index(rejected)) - (STYLES.index(chosen) < STYLES.index(rejected)),
                )
                for rejected in STYLES
            ),
        )
        for chosen in STYLES
    )
    return Table(
        f"matrix {scope}",
        ("chosen \\ rejected", *map(_style, STYLES)),
        tuple(rows),
        f"style-substance matrix: {title} (Easy below the diagonal, Hard above it)",
    )


def _cell(record: Record | None, side: int) -> Number:
    """Return a cell's number; NaN for a cell that is not compared."""
    return Number(math.nan) if record is None else number_of(record, side)


def _sound(records: Sequence[Record]) -> Iterator[Table]:
    """Yield the table of averages on the items without a known erratum."""
    shown = [record for record in records if record.metric == WITHOUT_ERRATA]
    shown = [record for record in shown if record.scope.partition(" ")[0] in _SUMS] or shown
    if not shown:
        return
    rows = []
    for record in shown:
        metric, scope = _of(record)
        name = scope if metric == "section" else f"{scope} {metric}".removeprefix("all ")
        rows.append(Row(name, (number_of(record), Number(record.n_items, unit=COUNT))))
    title = f"without the items that rmeval errata {shown[0].benchmark} lists"
    yield Table("without errata", ("", "value", "items"), tuple(rows), title, layout="lines")


def _other_scores(records: Sequence[Record], variants: Sequence[str], chance: bool) -> Table:
    """Return the table of the main numbers with a column for each of a model's scores, and their chance levels."""
    found = {(record.variant, record.metric, record.scope): record for record in records}
    matrix = any(record.metric == LEVELS[0] for record in records)
    left = (WITHOUT_ERRATA, "cell")
    wanted = (
        record
        for record in records
        if (record.metric == "average" if matrix else record.metric.partition(":")[0] not in left)
    )
    measures = list(dict.fromkeys((record.metric, record.scope) for record in wanted))
    if not matrix and len(measures) > _LONG:
        measures = [measure for measure in measures if measure[0] != "accuracy" or measure[1] == "all"]
    top = headline(measures)
    measures.sort(key=lambda measure: measure != top)
    rows = []
    for metric, scope in measures:
        shown = LEVELS[:3] if matrix else (metric,)
        # Some scores lack some numbers.
        own = [[found.get((variant, level, scope)) for level in shown] for variant in variants]
        label = scope if matrix else measure_name((metric, scope))
        rows.append(Row(label, _joined(own, shown, lambda record: record.value)))
        if chance and (metric, scope) == measures[0]:
            name = f"random verdicts, {label}"
            rows.append(Row(name, _joined(own, shown, lambda record: record.null.get("random", math.nan)), faint=True))
    title = f"by score{', Easy/Normal/Hard' if matrix else ''}"
    return Table("by score", ("", *variants), tuple(rows), title)


def _joined(
    own: Sequence[Sequence[Record | None]], names: Sequence[str], value: Callable[[Record], float]
) -> tuple[Cell, ...]:
    """Return one cell for each variant: its number, or several numbers in one cell; NaN where there is no record."""
    numbers = [tuple(Number(math.nan if one is None else value(one)) for one in records) for records in own]
    return tuple(Joined(tuple(names), one) if len(one) > 1 else one[0] for one in numbers)


def _has_matrix(records: Iterable[Record]) -> bool:
    """Return whether the records belong to a benchmark with responses in three styles."""
    return any(record.metric.startswith("cell:") for record in records)


def _accuracies(records: Sequence[Record]) -> Table:
    """Return the table of all numbers, the headline first."""
    top = headline_of(records)
    records = [*([top] if top else []), *(record for record in records if record is not top)]
    counts, nulls = count_columns(records), shown_nulls(records)
    plain = all(record.metric in _ACCURACIES for record in records)
    rows: list[Row] = []
    inside = None
    for record in records:
        name = measure_name((record.metric, record.scope))
        label, level, strong = name, 0, True
        if record.metric in ("section", "language"):
            inside = record.scope
        elif record.scope != "all" and record is not top:
            strong = False
            if inside is not None:
                label, level = name.removeprefix(f"{inside}/"), 1
        own = (Number(record.null[null]) if null in record.null else None for null in nulls)
        rows.append(Row(label, (number_of(record), *counts_of(record, counts), *own), name, level, strong))
    unnamed = "" if plain else "numbers without a named metric are accuracy; "
    note = "ties shared" if "random" in nulls else _NULL_NOTE
    notes = (f"{unnamed}last columns: null baselines, {note}",) if nulls else ()
    columns = ("", "accuracy" if plain else "value", *counts, *nulls)
    return Table("numbers", columns, tuple(rows), notes=notes)


def measure_name(measure: Measure) -> str:
    """Return a number's name in a table: its scope, and its metric unless that is accuracy."""
    metric, scope = measure
    if metric in ("accuracy", "section", "language", "category"):
        return scope
    name = metric.replace("_", " ")
    less = f" ({best_note(metric)})" if best(metric) < 0 else ""
    return f"{name}{less}" if scope == "all" else f"{scope} {name}{less}"


def shown_nulls(records: Iterable[Record]) -> list[str]:
    """Return the null baselines to show; `random` only if not all its values are one half."""
    found = list(records)
    names = dict.fromkeys(name for record in found for name in record.null)
    # Sums of many shares need not be exactly one half.
    even = all(abs(record.null.get("random", 0.5) - 0.5) < 1e-9 for record in found if _of(record)[0] != GAP)
    return [name for name in names if name != "random" or not even]


def count_columns(records: Iterable[Record]) -> list[str]:
    """Return the names of the columns of counts; failures have a column if there are any."""
    return ["items", "ties", "failed"] if any(record.failures for record in records) else ["items", "ties"]


def counts_of(record: Record, columns: Sequence[str]) -> list[Number]:
    """Return the counts of a record, one per column of `count_columns`."""
    found = [
        Number(record.n_items, unit=COUNT),
        Number(record.ties, unit=COUNT_OR_DASH),
        Number(record.failures, unit=COUNT_OR_DASH),
    ]
    return found[: len(columns)]


def _style(style: str) -> str:
    return style.replace("_", " ")
