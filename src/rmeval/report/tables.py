"""Tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from rmeval.messages import count_of
from rmeval.metrics.composition import Measure, headline
from rmeval.metrics.scoring.sections import record_with_prior
from rmeval.metrics.scoring.style_substance import GAP, LEVELS
from rmeval.report.terminal import Line, make_console, passage, stacked
from rmeval.results.result import WITHOUT_ERRATA, Result
from rmeval.types import STYLES, Record

if TYPE_CHECKING:
    from rich.text import Text

    from rmeval.doctor.checkpoint import Examination

__all__ = [
    "measure_name",
    "new_table",
    "percent",
    "print_examination",
    "print_lines",
    "print_priors",
    "print_report",
    "print_run_line",
    "report",
    "shown_nulls",
    "with_interval",
]

_NULL_NOTE = "ties shared (random gets 50.0 where it is not shown)"


def print_report(result: Result) -> None:
    """Prints a run's numbers."""
    make_console().print(report(result), crop=False)


def print_run_line(result: Result) -> None:
    """Prints what a run is, the number that stands for it, and where it lies, in two lines."""
    manifest = result.manifest
    record = _headline(result.records)
    name = f"{record.metric} {record.scope}".removesuffix(" all") + " " if record else "no numbers"
    value = with_interval(record) if record else ""
    count = f"  {count_of(record.n_items, 'item')}" if record else ""
    unfinished = "" if manifest["status"] == "complete" else ", unfinished"
    make_console().print(
        Line.assemble(
            (manifest["benchmark"]["id"], "bold"),
            "  ",
            (manifest["model"]["name"], "bold cyan"),
            _data(manifest),
            "  ",
            name,
            value,
            f"{count}{unfinished}",
        ),
        Line(f"  {result.path}", "dim"),
        sep="\n",
        soft_wrap=True,
    )


def print_lines(results: Sequence[Result]) -> None:
    """Prints what several runs come to, after their tables."""
    make_console().print("", Line("in short", "dim"), sep="\n")
    for result in results:
        print_run_line(result)
    print_priors(results)


def print_priors(results: Sequence[Result]) -> None:
    """Prints RewardBench's score with prior sets, of models that were run on both benchmarks."""
    found: dict[tuple[str, str], Record] = {}
    for result in results:
        for record in result.records:
            if (record.benchmark, record.metric) in (("reward-bench", "overall"), ("preference-test-sets", "average")):
                found.setdefault((result.manifest["model"]["name"], record.benchmark), record)
    for model in dict.fromkeys(model for model, _ in found):
        both = [found.get((model, name)) for name in ("reward-bench", "preference-test-sets")]
        if both[0] is not None and both[1] is not None:
            own = record_with_prior(both[0], both[1])
            make_console().print(
                Line.assemble(
                    ("reward-bench with prior sets", "bold"), "  ", (model, "bold cyan"), "  ", with_interval(own)
                ),
                soft_wrap=True,
            )


def print_examination(found: Examination) -> None:
    """Prints what the doctor found."""
    marks = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "bold red")}
    read = "  ".join(f"{text!r} ({token})" for text, token in found.read)
    lines = [
        Line(f"{found.model}: {found.answers} answers, {found.decisions} decisions", "bold"),
        Line(),
        Line("the first conversation as the network gets it", "dim"),
        passage(found.rendered),
        Line(),
        Line.assemble(("its last three tokens: ", "dim"), read),
        Line(),
    ]
    table = new_table("scored", "dtype", "largest difference", "decisions turned", "near-ties")
    for way in found.ways:
        table.add_row(way.name, way.dtype, f"{way.difference:.2g}", str(way.flips), str(way.near_ties))
    findings = Table.grid(padding=(0, 2, 0, 0))
    for finding in found.findings:
        text = [Line(finding.text), *([Line(f"  {finding.advice}", "dim")] if finding.advice else [])]
        findings.add_row(Line(*marks[finding.level]), stacked(*text))
    note = Line("near-ties: decisions whose margin is less than four times what batching moves", "dim")
    make_console().print(*lines, *([table, note, Line()] if found.ways else []), findings, sep="\n")


def _headline(records: Sequence[Record]) -> Record | None:
    """The number that sums a run up, if there is one."""
    found: dict[Measure, Record] = {}
    for record in records:
        found.setdefault((record.metric, record.scope), record)
    return found[headline(found)] if found else None


def report(result: Result) -> Group:
    """Everything a reader needs of a run, from its title to where it lies."""
    variants = list(dict.fromkeys(record.variant for record in result.records))
    main = [record for record in result.records if record.variant in variants[:1]]
    records = {(record.metric, record.scope): record for record in main}
    manifest = result.manifest
    parts: list[RenderableType] = [
        Line.assemble(
            (manifest["benchmark"]["id"], "bold"), "  ", (manifest["model"]["name"], "bold cyan"), _data(manifest)
        ),
        Line(_about(manifest, result.records), style="dim"),
        *([Line(f"score: {variants[0]}", style="dim")] if len(variants) > 1 else []),
        "",
    ]
    if _has_matrix(main):
        parts += _style_substance(records)
    elif main:
        parts += _accuracies([record for record in main if record.metric != WITHOUT_ERRATA])
    parts += _sound(main)
    if len(variants) > 1:
        parts += _other_scores(result.records, variants)
    if manifest["status"] != "complete":
        parts.append(Line("unfinished: the same command goes on where it stopped", style="yellow"))
    parts += [Line(f"! {note}", style="yellow") for note in result.notes]
    # A path that is broken into lines cannot be copied.
    parts.append(Line(f"run: {result.path}", style="dim", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _data(manifest: Mapping[str, Any]) -> str:
    """What was read or generated."""
    made = manifest["benchmark"]
    options = (
        f"{name} {','.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in made.get("options", {}).items()
        if isinstance(value, int | str | list | tuple)
    )
    parts = ", ".join([*([f"on {made['data']}"] if made["data"] else []), *options])
    return f"  {parts}" if parts else ""


def _about(manifest: Mapping[str, Any], records: Sequence[Record]) -> str:
    # The records say more of each method, in brackets.
    intervals = " and ".join(sorted({record.ci_method.partition("(")[0] for record in records if record.ci_method}))
    rule = records[0].rule if records else ""
    selection = manifest["selection"]
    chosen = ", ".join(
        f"{key} {' '.join(value) if isinstance(value, list | tuple) else value}"
        for key, value in selection.items()
        if value and key != "seed"
    )
    found = ["numbers in %", *([f"95% intervals by {intervals}"] if intervals else [])]
    text = f"{', '.join(found)}; ties and failures: {rule}" if records else "no numbers"
    return f"{text}; selection: {chosen}" if chosen else text


def _style_substance(records: Mapping[tuple[str, str], Record]) -> Iterator[RenderableType]:
    scopes = list(dict.fromkeys(scope for metric, scope in records if metric == "easy"))
    counts = _count_columns(records.values())
    table = new_table("", *(level.capitalize() for level in LEVELS), *counts)
    for scope in scopes:
        row = [records[level, scope] for level in LEVELS]
        style = "bold" if scope == "all" else ""
        values = (with_interval(record, stack=True) for record in row)
        # Those of the average are those of all nine cells.
        table.add_row(_indent(scope), *values, *_counts(row[-1], counts), style=style)
    yield table
    shown = shown_nulls(records.values())
    yield from ("", Line(f"null baselines, Easy/Normal/Hard, {_NULL_NOTE}", style="dim"))
    table = new_table("", *shown)
    for scope in scopes:
        triples = ("/".join(percent(records[level, scope].null[name]) for level in LEVELS[:3]) for name in shown)
        table.add_row(_indent(scope), *triples)
    yield table
    for scope in ["all"] if "all" in scopes else [scope for scope in scopes if not scope.startswith("safety-")]:
        title = "all domains (macro average)" if scope == "all" else scope
        yield from ("", Line(f"style-substance matrix: {title} (Easy below the diagonal, Hard above it)", style="dim"))
        table = new_table("chosen \\ rejected", *(_style(style) for style in STYLES))
        for chosen in STYLES:
            table.add_row(_style(chosen), *(_cell(records, scope, chosen, rejected) for rejected in STYLES))
        yield table
    if ("overall", "all") in records:
        yield from ("", Line.assemble(("overall  ", "bold"), with_interval(records["overall", "all"])))


def _sound(records: Sequence[Record]) -> Iterator[Text]:
    """The averages on the items that no erratum is known of."""
    shown = [record for record in records if record.metric == WITHOUT_ERRATA]
    shown = [record for record in shown if record.scope.partition(" ")[0] in _SUMS] or shown
    if shown:
        yield Line()
        yield Line(f"without the items that rmeval errata {shown[0].benchmark} lists", "dim")
    for record in shown:
        metric, _, scope = record.scope.partition(" ")
        name = scope if metric == "section" else f"{scope} {metric}".removeprefix("all ")
        yield Line.assemble(f"{name}  ", with_interval(record), (f"  {count_of(record.n_items, 'item')}", "dim"))


_SUMS = ("average", "section", "overall")


def _other_scores(records: Sequence[Record], variants: Sequence[str]) -> Iterator[RenderableType]:
    """The numbers that matter most by each of the scores that a model gives, side by side."""
    found = {(record.variant, record.metric, record.scope): record for record in records}
    matrix = _has_matrix(records)
    metrics = ("average",) if matrix else ()
    left = (WITHOUT_ERRATA, "cell")
    wanted = (r for r in records if r.metric in metrics or (not matrix and r.metric.partition(":")[0] not in left))
    measures = list(dict.fromkeys((r.metric, r.scope) for r in wanted))
    if not matrix and len(measures) > _LONG:
        measures = [measure for measure in measures if measure[0] != "accuracy" or measure[1] == "all"]
    yield from ("", Line(f"by score{', Easy/Normal/Hard' if matrix else ''}", style="dim"))
    table = new_table("", *variants)
    for metric, scope in measures:
        shown = LEVELS[:3] if matrix else (metric,)
        # Some numbers are missing of some scores.
        own = ([found.get((variant, level, scope)) for level in shown] for variant in variants)
        cells = ("/".join("-" if record is None else percent(record.value) for record in records) for records in own)
        table.add_row(Line(scope if matrix else measure_name((metric, scope))), *cells)
    yield table


def _has_matrix(records: Iterable[Record]) -> bool:
    """Whether they are of a benchmark with answers in three styles."""
    return any(record.metric == LEVELS[0] for record in records)


_LONG = 24
"""Rows that are shown of each score, if not only the sums."""


def _cell(records: Mapping[tuple[str, str], Record], scope: str, chosen: str, rejected: str) -> Text:
    """A cell of the matrix, coloured by what it counts towards: below the diagonal Easy, above it Hard."""
    side = STYLES.index(chosen) - STYLES.index(rejected)
    return with_interval(
        records[f"cell:{chosen}/{rejected}", scope], "cyan" if side > 0 else "magenta" if side < 0 else ""
    )


def _accuracies(records: Sequence[Record]) -> Iterator[RenderableType]:
    counts, nulls = _count_columns(records), shown_nulls(records)
    plain = all(record.metric in _ACCURACIES for record in records)
    table = new_table("", "accuracy" if plain else "value", *counts, *nulls)
    inside = None
    for record in records:
        name, style = measure_name((record.metric, record.scope)), "bold"
        if record.metric in ("section", "language"):
            inside = record.scope
        elif record.scope != "all":
            name, style = name if inside is None else f"  {name.removeprefix(f'{inside}/')}", ""
        values = (percent(record.null[null]) if null in record.null else "" for null in nulls)
        table.add_row(Line(name), with_interval(record), *_counts(record, counts), *values, style=style)
    yield table
    unnamed = "" if plain else "where no metric is named it is accuracy; "
    if nulls:
        note = "ties shared" if "random" in nulls else _NULL_NOTE
        yield Line(f"{unnamed}last columns: null baselines, {note}", style="dim")


def measure_name(measure: Measure) -> str:
    """A number's name in a table: its scope, and its metric where that is no accuracy."""
    metric, scope = measure
    if metric in ("accuracy", "section", "language", "category"):
        return scope
    name = metric.replace("_", " ")
    less = " (less is better)" if metric in _LESS else ""
    return f"{name}{less}" if scope == "all" else f"{scope} {name}{less}"


_ACCURACIES = ("accuracy", "section", "language", "category", "overall", "average")
_LESS = ("brier", "loss")


def shown_nulls(records: Iterable[Record]) -> list[str]:
    """The null baselines to show; `random` only where it is not one half everywhere."""
    found = list(records)
    names = dict.fromkeys(name for record in found for name in record.null)
    # Sums of many shares are not one half to the last digit.
    even = all(abs(record.null.get("random", 0.5) - 0.5) < 1e-9 for record in found if record.metric != GAP)
    return [name for name in names if name != "random" or not even]


def _count_columns(records: Iterable[Record]) -> list[str]:
    return ["items", "ties", "failed"] if any(record.failures for record in records) else ["items", "ties"]


def new_table(first: str, *rest: str) -> Table:
    """A table without lines, whose first column holds names and the others numbers."""
    table = _Numbers(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(Line(first), overflow="fold")
    for name in rest:
        table.add_column(Line(name, no_wrap=False, overflow="fold"), justify="right", no_wrap=True)
    return table


_NAME = 12
"""Columns that names keep in a narrow terminal."""
_ROOM = 24
"""Columns for names below which numbers are moved together."""


class _Numbers(Table):
    """A table of which names are broken into lines where there is no room, but never numbers."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        cells = tuple(Line(cell) if isinstance(cell, str) else cell for cell in cells)
        for place, (column, cell) in enumerate(zip(self.columns, cells, strict=False)):
            width = max(map(cell_len, str(cell).splitlines()), default=0)
            column.min_width = max(column.min_width or 0, width if place else min(width, _NAME))
        super().add_row(*cells, **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = [max(column.min_width or 0, cell_len(str(column.header))) for column in self.columns[1:]]
        if sum(widths) + 2 * len(widths) + _ROOM > options.max_width:
            self.padding = (0, 1, 0, 0)
        yield from super().__rich_console__(console, options)


def _counts(record: Record, columns: Sequence[str]) -> list[str]:
    return [str(record.n_items), str(record.ties or "-"), str(record.failures or "-")][: len(columns)]


def with_interval(record: Record, style: str = "", stack: bool = False) -> Text:
    """A record's value with its interval, beside or below it."""
    value = Line(percent(record.value), style=style)
    if not record.ci:
        return value
    dash = "-" if record.ci[0] >= 0 else " to "
    interval = Line(f"{percent(record.ci[0])}{dash}{percent(record.ci[1])}", "dim not bold")
    return stacked(value, interval) if stack else value.append(" ").append(interval)


def percent(value: float) -> str:
    """A share in percent."""
    # Adding 0 makes -0.0 positive.
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0.0:.1f}"


def _indent(scope: str) -> str:
    return f"  {scope}" if scope.startswith("safety-") else scope


def _style(style: str) -> str:
    return style.replace("_", " ")
