"""`rmeval list`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.output import echo_json
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rich.table import Table

    from rmeval.report.terminal import Screen

__all__ = ["list_command"]


class What(StrEnum):
    """Kinds of lists."""

    benchmarks = "benchmarks"
    models = "models"
    protocols = "protocols"
    published = "published"
    templates = "templates"


def list_command(
    what: Annotated[What, typer.Argument(help="What to list.")] = What.benchmarks,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("-b", "--benchmark", help="The folder of a finished benchmark of rmeval build, to be listed too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List benchmarks, forms of MODEL, protocols of generative judges, published results, or chat templates."""
    if benchmark and what is not What.benchmarks:
        raise RmevalError(f"-b is for benchmarks: leave it out of a list of {what.value}")
    makers = {What.models: _models, What.protocols: _protocols, What.published: _published, What.templates: _templates}
    rows = makers[what]() if what in makers else _benchmarks(benchmark or ())
    if as_json:
        echo_json(rows, indent=1)
        return
    from rmeval.report.terminal import Line, Screen

    console = Screen()
    if what is What.models:
        _print_models(console, rows)
        return
    if what is What.templates:
        console.print(_table(rows, ("id", "about")))
        console.print(Line("for --chat-template; the source of each, and its text: --json", "dim"))
        return
    if what is What.published:
        _print_published(console, rows)
        return
    if what is What.protocols:
        console.print(_table(rows, ("id", "kind", "reads", "about", "source")))
        return
    from rmeval.benchmarks import BUILTIN
    from rmeval.benchmarks.suites import SUITES

    console.print(_table(rows, ("id", "items", "verified", "licence", "options")))
    suites = "; ".join(f"{name}: {', '.join(members)}" for name, members in SUITES.items() if name != "all")
    *others, last = (name for name in BUILTIN if name not in SUITES["all"])
    for line in (
        "",
        "verified: rmeval reproduces a published number from published scores or the reference code; what a "
        "benchmark measures, its source, its paper and what its options mean: --json",
        "options: as --size 400, or --set size=400 (the form for benchmarks of other packages)",
        f"suites for -b: {suites}; all: all but {', '.join(others)} and {last}; or a YAML file",
    ):
        console.print(Line(line, "dim"))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    from rich.table import Table

    from rmeval.report.terminal import Line

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        number = column in ("items", "models", "contradict")
        table.add_column(column, justify="right" if number else "left", no_wrap=column in ("id", "card"))
    for row in rows:
        table.add_row(*(Line(_cell(row, column)) for column in columns))
    return table


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if column == "verified":
        return "yes" if value else "no"
    if column == "options":
        return ", ".join(value)
    # A benchmark with 0 expected items has any number of them.
    return str(value or ("0" if column in ("contradict", "models") else "any"))


def _benchmarks(further: Sequence[str]) -> list[dict[str, Any]]:
    from rmeval.benchmarks import benchmark_names, find_benchmark
    from rmeval.benchmarks.built import BuiltFolder

    rows = []
    for name in (*benchmark_names(), *further):
        found = find_benchmark(name)
        if name in further and not isinstance(found.made, BuiltFolder):
            raise RmevalError(f"{name} is not the folder of a finished benchmark: leave out -b")
        card = found.made.card
        rows.append(
            {
                "id": card.id if name in further else name,
                "benchmark": name,
                "title": card.title,
                "items": sum(card.counts.values()),
                "measures": card.measures,
                "verified": card.verified,
                "source": card.source,
                "revision": card.revision,
                "licence": card.licence,
                "paper": card.paper,
                "citation": card.citation,
                "counts": dict(card.counts),
                "sections": {section: list(parts) for section, parts in card.sections.items()},
                "formulas": list(card.formulas),
                "agreement": {subset: asdict(own) for subset, own in card.agreement.items()},
                "options": {option: one.help if one else "" for option, one in found.takes.items()},
            }
        )
    return rows


def _models() -> list[dict[str, Any]]:
    from rmeval.baselines import BASELINES
    from rmeval.models import EMBEDDED, model_names

    about = {
        "random": "pseudo-random score from the text: chance level",
        "longest": "prefers the longer response",
        "shortest": "prefers the shorter response",
        "markdown": "prefers the response with more markdown",
    }
    rows = [
        {"id": name, "kind": "classifier", "about": "included in the package, for trying rmeval"} for name in EMBEDDED
    ]
    rows += [
        {"id": "owner/name", "kind": "classifier", "about": "a sequence classifier with one output, from the hub"},
        {"id": "./folder", "kind": "classifier", "about": "the same, from a local checkpoint"},
        {"id": "http://HOST:PORT", "kind": "served", "about": "a model behind a server, such as vLLM"},
        {"id": "file.py:Class", "kind": "plugin", "about": "your own class with score(conversations) -> numbers"},
        {
            "id": "file.py:function",
            "kind": "plugin",
            "about": "your own function, or a reward function for TRL or verl",
        },
    ]
    rows += [{"id": f"baseline:{name}", "kind": "baseline", "about": about[name]} for name in BASELINES]
    rows += [{"id": name, "kind": "plugin", "about": target} for name, target in model_names().items()]
    return rows + _cards()


def _cards() -> list[dict[str, Any]]:
    """A row of each family of published models, and one of each model that the files list under it."""
    from rmeval.models.cards import all_cards

    return [
        {
            "id": card.model or card.name,
            "kind": "published" if card.model else "card",
            "about": card.about,
            "card": card.name,
            "status": card.status,
        }
        for card in all_cards()
    ]


def _print_models(console: Screen, rows: Sequence[Mapping[str, Any]]) -> None:
    from rmeval.report.model_card import STATUSES
    from rmeval.report.terminal import Line

    listed = Counter(row["card"] for row in rows if row["kind"] == "published")
    console.print(_table([row for row in rows if row["kind"] not in ("card", "published")], ("id", "kind", "about")))
    families = [{**row, "models": listed[row["id"]]} for row in rows if row["kind"] == "card"]
    console.print()
    console.print(_table([{**row, "card": row["id"]} for row in families], ("card", "status", "models", "about")))
    for line in (
        "",
        *(f"{status}: {meaning}" for status, meaning in STATUSES.items()),
        "a model's card: rmeval card MODEL; a card applies by the model's id on the hub, or by --card; models: those "
        "listed by their id (--json), besides others whose id fits a pattern",
    ):
        console.print(Line(line, "dim"))


def _print_published(console: Screen, rows: Sequence[Mapping[str, Any]]) -> None:
    from rmeval.report.terminal import Line

    shown = [
        {**row, "models": len(row["rows"]), "contradict": sum(own["contradicts"] for own in row["rows"])}
        for row in rows
    ]
    console.print(_table(shown, ("id", "benchmark", "models", "contradict", "date")))
    for line in (
        "",
        *(f"{row['id']}: {row['name']}, {row['source']}{', ' if row['place'] else ''}{row['place']}" for row in rows),
        "",
        "contradict: models whose numbers contradict each other or the source that they come from; the numbers, and "
        "what contradicts what: --json",
        "the rows among your runs: rmeval show runs/ --published; as a table of scores: rmeval correlate published:ID",
    ):
        console.print(Line(line, "dim"))


def _published() -> list[dict[str, Any]]:
    from rmeval.models.cards import descriptor_of
    from rmeval.published import all_boards

    return [
        {name: value for name, value in asdict(board).items() if name not in ("headline", "rows")}
        | {
            "headline": " ".join(board.headline),
            "rows": [
                asdict(row)
                | {"values": {" ".join(measure): value for measure, value in row.values.items()}}
                | {"model card": asdict(found) if (found := descriptor_of(row.model)) else None}
                for row in board.rows
            ],
        }
        for board in all_boards()
    ]


def _protocols() -> list[dict[str, Any]]:
    from rmeval.protocols.judging import built_in_cards

    return [
        {
            "id": card.name,
            "kind": card.kind,
            "reads": card.reads,
            "orders": [] if card.kind == "rate" else list(card.orders),
            "about": card.about,
            "source": card.source,
            "note": card.note,
        }
        for card in built_in_cards().values()
    ]


def _templates() -> list[dict[str, Any]]:
    from rmeval.rendering.named_templates import named_templates

    return [
        {
            "id": one.name,
            "about": one.about,
            "source": one.source,
            "special tokens": one.special_tokens,
            "text": one.text,
        }
        for one in named_templates().values()
    ]
