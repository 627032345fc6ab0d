"""`rmeval items`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o

__all__ = ["items_command"]


def items_command(
    benchmark: Annotated[str, typer.Argument(help="Benchmark.")],
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    columns: o.Columns = None,
    split: o.Split = None,
    config: o.Config = None,
    size: o.Size = None,
    languages: o.Languages = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File; standard output if not given.", rich_help_panel=o.OUT)
    ] = None,
    subset: o.Subsets = None,
    n_items: o.NItems = None,
    seed: o.Seed = 0,
    limit: o.Limit = None,
) -> None:
    """Write a benchmark's items as JSONL: prompt, answers with gold and style, and what else is known of them.

    rmeval items rm-bench-synthetic --seed 1 --size 400 -o items.jsonl
    """
    import json
    from dataclasses import asdict

    from rmeval.benchmarks import load_benchmark
    from rmeval.cli.logs import show_warnings
    from rmeval.errors import explain_os_error
    from rmeval.runs.selection import Selection, select

    show_warnings()
    own = o.own_options(
        [benchmark], columns=o.columns(columns), split=split, config=config, size=size, languages=o.words(languages)
    )
    found = load_benchmark(benchmark, data, seed=seed, **own[benchmark])
    chosen = select(found.load(), Selection(tuple(subset or ()), n_items, seed, limit), found.card)
    lines = (json.dumps(asdict(item) | {"meta": dict(item.meta)}, ensure_ascii=False) + "\n" for item in chosen)
    if out is None:
        for line in lines:
            typer.echo(line, nl=False)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
