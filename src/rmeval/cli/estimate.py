"""`rmeval estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.server_options import PriceFile
from rmeval.cli.views import check_output, write_views

__all__ = ["estimate_command"]


def estimate_command(
    cheap: Annotated[Path, typer.Option(help="Run of the cheap model on all items.")],
    expensive: Annotated[Path | None, typer.Option(help="Run of the expensive model on a sample of the items.")] = None,
    choose: Annotated[
        int | None,
        typer.Option(help="Instead of an estimate, choose this number of items to run the expensive model on."),
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="The file of --choose, if the expensive run is on these items.")
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="benchmark: the number that a run on all items would have; population: the number on all problems of "
            "this kind."
        ),
    ] = "benchmark",
    prices: PriceFile = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to estimate, such as hard. Default: the benchmark's headline metric.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Part of the benchmark to estimate it on, such as chat.")] = "all",
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    variant: o.Variant = None,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Estimate an expensive model's number from a sample, with a cheap model's run on all items.

    Does not load a model or torch.

    rmeval estimate --cheap runs/rm-bench/small --expensive runs/rm-bench/large

    rmeval estimate --cheap runs/rm-bench/small --choose 200 -o items.jsonl
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.errors import RmevalError

    show_warnings()
    if (expensive is None) == (choose is None):
        raise RmevalError("give `expensive`, the run on a sample, or `choose`, the number of items to run it on")
    run = {"metric": metric, "scope": scope, "variant": variant, "benchmark": benchmark, "protocol": protocol}
    if expensive is not None:
        chosen, file = check_output(form, out, as_json, overwrite)
        _estimate(cheap, expensive, chosen, file, as_json, items=items, target=target, prices=prices, rule=rule, **run)
        return
    own = (items, form, rule, prices)
    if any(one is not None for one in own) or as_json or target != "benchmark":
        raise RmevalError("`choose` writes items: leave out `items`, `target`, `rule`, `prices`, --format and --json")
    _choose(cheap, out, overwrite, choose=choose, seed=seed, **run)


def _estimate(cheap: Path, expensive: Path, form: o.Format, out: Path | None, as_json: bool, **options: Any) -> None:
    """Writes an estimate."""
    from rmeval.results.estimate import estimate_runs

    found = estimate_runs(cheap, expensive, **options)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.estimate import estimate_view

    write_views([estimate_view(found)], form, out)


def _choose(cheap: Path, out: Path | None, overwrite: bool, **options: Any) -> None:
    """Writes the chosen items; without a file, prints them."""
    from rmeval.cli.printed import check_files
    from rmeval.data.writing import row_writer
    from rmeval.files import STANDARD
    from rmeval.report.estimate import chosen_view
    from rmeval.results.choose import choose_items
    from rmeval.runs.score_file import output_file

    target = None if out is None or out == STANDARD else output_file(out)
    check_files(target, overwrite=overwrite)
    row_writer(target or STANDARD)  # Raises an error for an unknown ending.
    found = choose_items(cheap, **options)
    if target is None:
        for row in found.rows:
            echo_json(row)
        return
    found.write(target)
    write_views([chosen_view(found)])
    echo(f"written: {target}", err=True)
