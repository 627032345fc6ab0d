"""`rmeval items`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json

__all__ = ["items_command"]


@o.takes_item_options
def items_command(
    benchmark: Annotated[str, typer.Argument(help="Benchmark.")],
    wanted: o.Wanted,
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Output file. Default: standard output.", rich_help_panel=o.OUT)
    ] = None,
) -> None:
    """Write a benchmark's items as JSONL, with prompts, responses, gold labels and style counts.

    rmeval items rm-bench-synthetic --seed 1 --size 400 -o items.jsonl
    """
    from dataclasses import asdict

    from rmeval.cli.logs import show_warnings
    from rmeval.errors import explain_os_error
    from rmeval.files import json_bytes, replacing
    from rmeval.runs.plan import plan
    from rmeval.runs.score_file import output_file

    show_warnings()
    target = None if out is None else output_file(out)
    found = wanted.one(benchmark, data)
    chosen = (one.item for one in plan(found, wanted.selection()).items())
    rows = (asdict(item) | {"meta": dict(item.meta)} for item in chosen)
    if target is None:
        for row in rows:
            echo_json(row)
        return
    try:
        with replacing(target) as file:
            file.writelines(json_bytes(row) + b"\n" for row in rows)
    except OSError as error:
        raise explain_os_error(error, str(target)) from error
