"""`rmeval audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import share_of, words
from rmeval.cli.views import check_output, write_views

__all__ = ["audit_command"]

_PANEL = "Audit"
Benchmark = Annotated[
    str, typer.Option("-b", "--benchmark", help="Benchmark from whose items pairs are drawn, 200 by default.")
]
Probes = Annotated[
    str | None,
    typer.Option(
        help="Probes, with commas: position, verbosity, self-preference, wording, repeats. Default: all.",
        rich_help_panel=_PANEL,
    ),
]
Repeats = Annotated[int, typer.Option(help="How often the same request is run.", min=2, rich_help_panel=_PANEL)]
Wordings = Annotated[
    int, typer.Option(help="Number of other wordings of a judge's prompt.", min=1, max=3, rich_help_panel=_PANEL)
]
Family = Annotated[
    str | None,
    typer.Option(
        help="Part of the names of its family's sources, such as gpt-4. Default: by its name.",
        rich_help_panel=_PANEL,
    ),
]
Smallest = Annotated[float, typer.Option(help="Smallest effect that matters, in points.", rich_help_panel=_PANEL)]

DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Count a judge's calls, tokens and cost; send nothing.", rich_help_panel=_PANEL),
]
Runs = Annotated[str, typer.Option(help="Folder of runs.", rich_help_panel=o.OUT)]


@o.takes_model_options
@o.takes_item_options
def audit_command(
    model: o.Model,
    benchmark: Benchmark,
    options: dict[str, Any],
    wanted: o.Wanted,
    data: o.Data = None,
    probes: Probes = None,
    repeats: Repeats = 2,
    wordings: Wordings = 3,
    family: Family = None,
    smallest: Smallest = 5.0,
    dry_run: DryRun = False,
    runs: Runs = "audits",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Find out what changes verdicts although the better response stays the same. Continues an interrupted audit.

    Order of the responses, padding of one of them, responses of the judge's family, wording of the prompt, repetition.

        rmeval audit http://localhost:8000/v1 --protocol five-way -b rm-bench
    """
    from rmeval.api import load_model
    from rmeval.cli.logs import show_warnings
    from rmeval.models.options import model_options
    from rmeval.report.audit import audit_view
    from rmeval.report.dry_run import dry_run_view
    from rmeval.robustness.audit import PROBES, Probing, audit_calls, audit_model

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    chosen = wanted.one(benchmark, data)
    probing = Probing(
        tuple(words(probes, "--probes") or PROBES), repeats, wordings, family, share_of(smallest, "smallest") or 0.0
    )
    selection = wanted.selection(n_items=200)
    if dry_run:
        calls = audit_calls(model, chosen, selection, Path(runs), probing, model_options(**options))
        write_views([dry_run_view(calls)], form, out)
        return
    loaded = load_model(model, **options)
    with progress_bar(f"{chosen.card.id}  {loaded.name}") as progress:
        found = audit_model(
            loaded,
            chosen,
            selection,
            Path(runs),
            probing,
            store_text=store_text,
            break_lock=break_lock,
            progress=progress,
        )
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    write_views([audit_view(found)], form, out)
