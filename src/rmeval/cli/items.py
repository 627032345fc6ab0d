"""`rmeval items`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.printed import check_files

__all__ = ["items_command"]


@o.takes_item_options
def items_command(
    benchmark: Annotated[str, typer.Argument(help="Benchmark.")],
    wanted: o.Wanted,
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
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
    """Write a benchmark's items as JSONL, with prompts, responses, gold labels and style counts.

    rmeval items rm-bench-synthetic --seed 1 --size 400 -o items.jsonl
    """
    from dataclasses import asdict

    from rmeval.cli.logs import show_warnings
    from rmeval.data.writing import row_writer, write_rows
    from rmeval.files import STANDARD
    from rmeval.runs.plan import plan
    from rmeval.runs.score_file import output_file

    show_warnings()
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
