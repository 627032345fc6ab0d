"""`rmeval import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.views import write_views

__all__ = ["import_command"]


@o.takes_item_options
def import_command(
    benchmark: Annotated[str, typer.Option("-b", "--benchmark", help="Benchmark that the scores belong to.")],
    wanted: o.Wanted,
    scores: Annotated[
        Path | None,
        typer.Argument(
            help="JSONL or CSV of item_id, response, score; or a published file of scores or verdicts: see the "
            "documentation's page Imports. It may be compressed (.gz, .zst)."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    oracle: Annotated[bool, typer.Option("--oracle", help="Import perfect scores instead of a file.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the model. Default: the name of the file.")] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="How to reduce the scores of a response's steps to one: min, prod, last or mean."),
    ] = None,
    items_from_scores: Annotated[
        bool,
        typer.Option(
            "--items-from-scores",
            help="Read the items and their gold labels from the file of scores, if it contains them.",
            rich_help_panel=o.DATA,
        ),
    ] = False,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
) -> None:
    """Create a run from scores or verdicts that were computed elsewhere.

    Rows are matched to items by id or by text. For a file of subset accuracies, use rmeval show --from-subsets.

    rmeval import scores.json -b rm-bench --data ./data/ -o runs/
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.importers.run import import_scores
    from rmeval.report.run import run_view

    show_warnings()
    found = wanted.one(benchmark, data)
    result = import_scores(
        scores,
        found,
        Path(out),
        wanted.selection(),
        oracle=oracle,
        name=name,
        store_text=store_text,
        break_lock=break_lock,
        steps=steps,
        items_from_scores=items_from_scores,
    )
    write_views([run_view(result)])
