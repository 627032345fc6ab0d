"""`rmeval items`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import informative as i
from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.printed import check_files
from rmeval.errors import RmevalError

__all__ = ["items_command"]


@o.takes_item_options
@i.takes_informative_options
def items_command(
    what: i.What,
    wanted: o.Wanted,
    given: dict[str, Any],
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    informative: i.Flag = False,
    as_json: i.AsJSON = False,
    form: o.ReportFormat = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Output file: .jsonl, .json, .csv or .parquet. Default: standard output, also as -.",
            rich_help_panel=o.OUT,
        ),
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Write a benchmark's items as JSONL, or show which items discriminate between models (--informative).

    JSONL has prompts, responses, gold labels and style counts. With --informative, no model, torch or data is loaded.

    rmeval items rm-bench-synthetic --seed 1 --size 400 -o items.jsonl

    rmeval items --informative runs/rm-bench --short 100 -o short.jsonl
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    if informative:
        if useless := [*(["--data"] if data is not None else []), *wanted.given]:
            raise RmevalError(f"{useless[0]} is for the items of a benchmark: leave it out, or leave --informative out")
        i.print_informative(what, given, form, as_json, out, overwrite)
        return
    of_runs = given | {"json": as_json or None, "format": form}
    if useless := [f"--{name}" for name, value in of_runs.items() if value is not None]:
        raise RmevalError(f"{useless[0]} is for runs: give --informative and run folders, or leave it out")
    if len(what) > 1:
        raise RmevalError(f"{' '.join(what)}: give one benchmark, or --informative and run folders")
    _write_items(what[0], wanted, data, out, overwrite)


def _write_items(benchmark: str, wanted: o.Wanted, data: str | None, out: Path | None, overwrite: bool) -> None:
    from dataclasses import asdict

    from rmeval.data.writing import row_writer, write_rows
    from rmeval.files import STANDARD
    from rmeval.runs.plan import plan
    from rmeval.runs.score_file import output_file

    target = None if out is None or out == STANDARD else output_file(out)
    check_files(target, overwrite=overwrite)
    write = row_writer(target or STANDARD)
    found = wanted.one(benchmark, data)
    chosen = (one.item for one in plan(found, wanted.selection()).items())
    rows = (asdict(item) | {"meta": dict(item.meta)} for item in chosen)
    if target is None:
        for row in rows:
            echo_json(row)
        return
    write_rows(target, rows, write)
