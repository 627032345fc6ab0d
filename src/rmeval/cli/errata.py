"""`rmeval errata`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

__all__ = ["errata_command"]


def errata_command(
    benchmark: Annotated[str, typer.Argument(help="Benchmark.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List items of a benchmark that are known to be wrong. Numbers are of all items; a second one leaves these out.

    rmeval errata rm-bench
    """
    from rmeval.benchmarks import load_benchmark
    from rmeval.benchmarks.errata import errata_of

    found = list(errata_of(load_benchmark(benchmark).card).values())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
        return
    for one in found:
        typer.echo(f"{one.item}\n  {one.wrong}\n  {one.source}")
    if not found:
        typer.echo(f"nothing is known to be wrong with items of {benchmark}")
