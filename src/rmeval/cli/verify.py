"""`rmeval verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo, echo_json
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rmeval.results.verify import Verification
    from rmeval.runs.rescore import Rescoring

__all__ = ["verify_command"]


def verify_command(
    places: Annotated[list[Path], typer.Argument(help="Bundles, run folders, or folders that contain them.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Data of the benchmark, to compare items and labels with. Default: the digests that come with rmeval."
        ),
    ] = None,
    rescore: Annotated[
        int | None, typer.Option(min=1, help="Score this number of items again, drawn at random, with --model.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model of --rescore, as rmeval run takes it; the bundle's name is not used.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all checks as JSON.")] = False,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
) -> None:
    """Compute every number of bundles or runs again from their scores, and check items, labels and versions.

    Exits with 1 if a check does not hold. Runs no code that a bundle names.

    rmeval verify bundles/
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.bundle import bundles_in
    from rmeval.results.verify import verify_run

    show_warnings()
    further = _rescoring(rescore, model, data)
    found = []
    for path in dict.fromkeys(path for place in places for path in bundles_in(place)):
        one = verify_run(path, data=data, benchmark=benchmark, protocol=protocol, further=further)
        found.append(one)
        if not as_json:
            _show(one)
    if not found:
        raise RmevalError(f"there are no bundles or runs in {', '.join(map(str, places))}: give files of rmeval bundle")
    if as_json:
        echo_json([one.to_dict() for one in found], indent=1)
    if not all(one.holds for one in found):
        raise typer.Exit(1)


def _rescoring(rescore: int | None, model: str | None, data: str | None) -> Rescoring | None:
    if rescore is None and model is None:
        return None
    if rescore is None or model is None:
        raise RmevalError("--rescore and --model need each other: give both, such as --rescore 50 --model my/model")
    from rmeval.runs.rescore import Rescoring

    return Rescoring(model, rescore, data)


def _show(one: Verification) -> None:
    """Prints a line for each check, and one that sums them up."""
    subject = f": {one.model} on {one.benchmark}" if one.model else ""
    echo(f"{one.source}{subject}")
    width = max(len(check.state) for check in one.checks)
    names = max(len(check.name) for check in one.checks)
    for check in one.checks:
        echo(f"  {check.state:{width}}  {check.name:{names}}  {with_options(check.detail)}")
    if not one.holds:
        echo("  not verified")
    else:
        echo("  verified" if one.complete else "  verified, except for what is not checked")
