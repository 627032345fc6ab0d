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
    benchmark: Annotated[str, typer.Option("-b", "--benchmark", help="The benchmark that they are scores of.")],
    wanted: o.Wanted,
    scores: Annotated[
        Path | None,
        typer.Argument(
            help="JSONL or CSV of item_id, response, score; or a file of scores or verdicts as it is published: see "
            "the page Imports of the documentation. It may be compressed (.gz, .zst)."
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    oracle: Annotated[bool, typer.Option("--oracle", help="Scores that are always right, instead of a file.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the model, if not the file's.")] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="How the scores of an answer's steps become one: min, prod, last or mean."),
    ] = None,
    items_from_scores: Annotated[
        bool,
        typer.Option(
            "--items-from-scores",
            help="Take the items, and which answer is better, from the file of scores, where it states them.",
            rich_help_panel=o.DATA,
        ),
    ] = False,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
) -> None:
    """Make a run of scores or verdicts that were computed elsewhere.

    Rows are matched to items by id or by text. A file of subset accuracies is shown by rmeval show --from-subsets.

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
