"""`rmeval doctor`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo_json
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import words

__all__ = ["doctor_command"]


@o.takes_model_options
@o.takes_item_options
def doctor_command(
    model: o.Model,
    options: dict[str, Any],
    wanted: o.Wanted,
    benchmark: Annotated[str, typer.Option("-b", "--benchmark", help="Where the sample comes from.")] = (
        "rm-bench-synthetic"
    ),
    data: o.Data = None,
    dtypes: Annotated[
        str | None,
        typer.Option(help="Number formats to compare; float32, and bfloat16 where the machine multiplies it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Look for what makes a checkpoint's scores wrong, on a sample: 16 items (with their twins) if you do not say.

    Shows the conversation as the network gets it and the token that is read; scores the sample one by one, in
    batches, as a prefix tree and in other number formats; and says what is wrong and what to do. Exit code 1 if
    something is.

        rmeval doctor ./my-checkpoint -b rm-bench --n-items 32
    """
    from dataclasses import asdict, replace

    from rmeval.cli.logs import show_warnings
    from rmeval.doctor.checkpoint import examine
    from rmeval.models import ModelOptions
    from rmeval.redaction import redacted
    from rmeval.report.examination import print_examination
    from rmeval.runs.plan import plan

    show_warnings()
    chosen = wanted.one(benchmark, data)
    items = [one.item for one in plan(chosen, wanted.selection(n_items=16)).items()]
    with progress_bar(f"{chosen.card.id}  {model}") as progress:
        found = examine(model, ModelOptions(**options), items, words(dtypes, "--dtypes"), progress)
    # What other packages say of their errors may hold an address with a password in it; conversations stay as they are.
    found.findings = [
        replace(one, text=with_options(redacted(one.text)), advice=with_options(one.advice)) for one in found.findings
    ]
    if as_json:
        echo_json(asdict(found), indent=1)
    else:
        print_examination(found)
    if not found.healthy:
        raise typer.Exit(1)
