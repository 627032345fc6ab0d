"""`rmeval estimate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.run_options import RunOutput, takes_number_options
from rmeval.cli.server_options import PriceFile
from rmeval.cli.views import write_views

__all__ = ["estimate_command"]


@takes_number_options
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
    seed: Annotated[int, typer.Option(help="Seed of the draw.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
    *,
    number: dict[str, Any],
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
    if expensive is not None:
        output = RunOutput.of({"as_json": as_json, "form": form, "out": out, "overwrite": overwrite})
        _estimate(cheap, expensive, output, items=items, target=target, prices=prices, **number)
        return
    own = (items, form, number.pop("rule"), prices)
    if any(one is not None for one in own) or as_json or target != "benchmark":
        raise RmevalError("`choose` writes items: leave out `items`, `target`, `rule`, `prices`, --format and --json")
    _choose(cheap, out, overwrite, choose=choose, seed=seed, **number)


def _estimate(cheap: Path, expensive: Path, output: RunOutput, **options: Any) -> None:
    """Writes an estimate."""
    from rmeval.report.estimate import estimate_view
    from rmeval.results.estimate import estimate_runs

    found = estimate_runs(cheap, expensive, **options)
    output.write(found.to_dict, lambda: [estimate_view(found)])


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
