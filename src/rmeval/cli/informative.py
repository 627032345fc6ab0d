"""`rmeval items --informative`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.printed import check_files
from rmeval.cli.views import check_output, write_views
from rmeval.errors import RmevalError
from rmeval.files import STANDARD

if TYPE_CHECKING:
    from rmeval.results.item_analysis import ShortForm

__all__ = ["AsJSON", "Flag", "What", "print_informative", "takes_informative_options"]

_LISTED = 20


PANEL = "Item response (--informative)"


def _option(text: str, *names: str, minimum: int | None = None) -> Any:
    return typer.Option(*names, help=text, min=minimum, rich_help_panel=PANEL)


What = Annotated[
    list[str], typer.Argument(metavar="BENCHMARK|RUNS...", help="Benchmark; with --informative, run folders.")
]
Flag = Annotated[
    bool,
    _option(
        "From runs of five models or more: list the items that discriminate most between models, and those that abler "
        "models get wrong more often.",
        "--informative",
    ),
]
AsJSON = Annotated[bool, _option("Print all fields as JSON.", "--json")]
_OPTIONS: dict[str, Any] = {
    "n": Annotated[int | None, _option("Number of items in each list. Default: 20.", "-n", "--n", minimum=1)],
    "short": Annotated[int | None, _option("Choose this many items that represent all; -o is their file.", minimum=1)],
    "estimate": Annotated[Path | None, _option("Run on the short form of these runs: estimate its number.")],
    "metric": Annotated[str | None, _option("Metric, such as hard. Default: the benchmark's headline metric.")],
    "scope": Annotated[str | None, _option("Part of the benchmark, such as chat.")],
    "variant": o.Variant,
    "rule": o.PolicyName,
    "benchmark": o.OwnBenchmark,
    "protocol": o.OwnProtocol,
}
"""Parameters of `rmeval.results.item_analysis.analyze_items`, and the length of lists."""


def takes_informative_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of runs; they reach it together, as `given: dict[str, Any]`."""
    return o.takes(function, "given", {name: (annotation, None) for name, annotation in _OPTIONS.items()}, dict)


def print_informative(
    runs: list[str], given: Mapping[str, Any], form: o.Format | None, as_json: bool, out: Path | None, overwrite: bool
) -> None:
    """Print the item analysis of runs; with a short form, write its items to `out`.

    Args:
        runs: Run folders.
        given: The options of `takes_informative_options`.
        form: The format of the tables.
        as_json: Whether to print all fields instead.
        out: The file of the short form, or else of the tables.
        overwrite: Whether files may be replaced.

    Raises:
        RmevalError: If the analysis is not possible, or a file cannot be written.
    """
    from rmeval.data.writing import row_writer, write_rows
    from rmeval.results.item_analysis import analyze_items
    from rmeval.runs.score_file import output_file

    write = None
    if given["short"] is not None:
        if out is None or out == STANDARD:
            raise RmevalError("--short writes a file of items: give its name with -o, such as -o items.jsonl")
        out = output_file(out)
        check_files(out, overwrite=overwrite)
        write = row_writer(out)
    form, table = check_output(form, None if write else out, as_json, overwrite)
    own = {name: value for name, value in given.items() if name != "n" and value is not None}
    found = analyze_items(runs, **own)
    if found.short and write and out:
        write_rows(out, _rows(found.short), write)
        echo(f"written: {out}", err=True)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.item_analysis import item_analysis_view

    write_views([item_analysis_view(found, given["n"] or _LISTED)], form, table)


def _rows(short: ShortForm) -> list[dict[str, object]]:
    return [{"id": name, "weight": weight} for name, weight in short.items]
