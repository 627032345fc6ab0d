"""`rmeval parity`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import json_values
from rmeval.cli.views import check_output, write_views

__all__ = ["parity_command"]

_SIDE = "an engine, as in hf or hf:float32, file.py:Class, or the address of a server"


@o.takes_model_options
@o.takes_item_options
def parity_command(
    model: o.Model,
    options: dict[str, Any],
    wanted: o.Wanted,
    b: Annotated[str, typer.Option("--b", help=f"Second side: {_SIDE}.")],
    a: Annotated[str, typer.Option("--a", help="First side, likewise.")] = "hf",
    a_kwargs: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of --model-kwargs, for the first side only. Repeatable.")
    ] = None,
    b_kwargs: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of --model-kwargs, for the second side only. Repeatable.")
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option("-b", "--benchmark", help="Benchmark to draw 100 items from. Default: the generated one."),
    ] = None,
    data: o.Data = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Largest difference of equal scores. Default: by noise and number format.", min=0),
    ] = None,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Compare the scores of two engines on the same items: tokens, scores, decisions.

    Each engine is also compared with itself, one by one and in batches, to know its noise. The exit code is 1 if the
    engines disagree.

        rmeval parity ./my-checkpoint --a hf:float32 --b hf:bfloat16
    """
    from rmeval.benchmarks import GENERATED
    from rmeval.cli.logs import show_warnings
    from rmeval.doctor.parity import compare_engines
    from rmeval.models.options import model_options
    from rmeval.report.parity import parity_view
    from rmeval.runs.plan import plan

    show_warnings()
    chosen, file = check_output(form, out, as_json=False, overwrite=overwrite)
    found_benchmark = wanted.one(benchmark or GENERATED, data)
    planned = plan(found_benchmark, wanted.selection(n_items=100))
    with progress_bar(f"{found_benchmark.card.id}  {model}") as progress:
        found = compare_engines(
            model,
            a,
            b,
            planned,
            model_options(**options),
            tolerance=tolerance,
            a_kwargs=json_values(a_kwargs, "a_kwargs"),
            b_kwargs=json_values(b_kwargs, "b_kwargs"),
            progress=progress,
        )
    write_views([parity_view(found, found_benchmark.card.id)], chosen, file)
    if not found.agrees:
        raise typer.Exit(1)
