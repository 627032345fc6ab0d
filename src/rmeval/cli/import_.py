"""`rmeval import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o

__all__ = ["import_command"]


def import_command(
    benchmark: Annotated[str, typer.Option("-b", "--benchmark", help="The benchmark that they are scores of.")],
    scores: Annotated[
        Path | None,
        typer.Argument(help="JSONL of item_id, response, score; or a result file of RM-Bench or RewardBench."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="File, folder or hub id of the data.", rich_help_panel=o.DATA)
    ] = None,
    columns: o.Columns = None,
    split: o.Split = None,
    config: o.Config = None,
    size: o.Size = None,
    languages: o.Languages = None,
    oracle: Annotated[bool, typer.Option("--oracle", help="Scores that are always right, instead of a file.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the model, if not the file's.")] = None,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
    subset: o.Subsets = None,
    n_items: o.NItems = None,
    seed: o.Seed = 0,
    limit: o.Limit = None,
) -> None:
    """Make a run of scores that were computed elsewhere.

    rmeval import scores.json -b rm-bench --data ./data/ -o runs/
    """
    from rmeval.api import load_benchmark
    from rmeval.cli.logs import show_warnings
    from rmeval.report.tables import print_report
    from rmeval.runs.imports import import_scores
    from rmeval.runs.selection import Selection

    show_warnings()
    own = o.own_options(
        [benchmark], columns=o.columns(columns), split=split, config=config, size=size, languages=o.words(languages)
    )
    result = import_scores(
        scores,
        load_benchmark(benchmark, data, seed=seed, **own[benchmark]),
        Path(out),
        Selection(tuple(subset or ()), n_items, seed, limit),
        oracle=oracle,
        name=name,
        store_text=store_text,
        break_lock=break_lock,
    )
    print_report(result)
