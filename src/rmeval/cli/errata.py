"""`rmeval errata`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from rmeval.cli.output import echo, echo_json

__all__ = ["errata_command"]


def errata_command(
    benchmark: Annotated[str, typer.Argument(help="Benchmark.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List items of a benchmark with known errors. Numbers are of all items; a second one leaves these out.

    rmeval errata rm-bench
    """
    from rmeval.benchmarks import load_benchmark
    from rmeval.benchmarks.errata import errata_of

    found = list(errata_of(load_benchmark(benchmark).card).values())
    if as_json:
        echo_json([asdict(one) for one in found], indent=1)
        return
    for one in found:
        echo(one.item, f"  {one.wrong}", f"  {one.source}")
    if not found:
        echo(f"no errors are known in the items of {benchmark}")
