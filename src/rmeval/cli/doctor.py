"""`rmeval doctor`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo_json
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import words
from rmeval.errors import RmevalError

__all__ = ["doctor_command"]


def _check_arguments(model: str | None, sandbox: bool) -> None:
    if model is None and not sandbox:
        raise RmevalError("rmeval doctor needs a model to check: give MODEL, or `sandbox` to check the sandbox")
    if model is not None and sandbox:
        raise RmevalError("rmeval doctor checks a model or the sandbox: give MODEL or `sandbox`, not both")


def _check_sandbox(as_json: bool) -> None:
    from dataclasses import asdict

    from rmeval.cli.logs import show_warnings
    from rmeval.doctor.sandbox import examine_sandbox
    from rmeval.report.examination import print_sandbox

    show_warnings()
    with progress_bar("sandbox") as progress:
        found = examine_sandbox(progress=progress)
    if as_json:
        echo_json(asdict(found), indent=1)
    else:
        print_sandbox(found)
    if not found.contained:
        raise typer.Exit(1)


@o.takes_model_options
@o.takes_item_options
def doctor_command(
    options: dict[str, Any],
    wanted: o.Wanted,
    model: o.OptionalModel = None,
    benchmark: Annotated[
        str | None,
        typer.Option("-b", "--benchmark", help="Benchmark to draw the sample from. Default: the generated one."),
    ] = None,
    data: o.Data = None,
    dtypes: Annotated[
        str | None,
        typer.Option(help="Number formats to compare. Default: float32, and bfloat16 where the hardware supports it."),
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Attack the sandbox that runs solutions, instead of checking a model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Check a checkpoint for causes of wrong scores, on a sample of 16 items (and items judged with them).

    Shows the rendered conversation and the token at which the score is read. Scores the sample one by one, in
    batches, as a prefix tree and in other number formats, and reports each problem with its solution. The exit code
    is 1 if there is a problem.

        rmeval doctor ./my-checkpoint -b rm-bench --n-items 32

    With --sandbox, runs programs that attack this machine in the sandbox of generated code, and reports for each
    whether it was contained. The exit code is 1 if one was not.

        rmeval doctor --sandbox
    """
    _check_arguments(model, sandbox)
    if model is None:
        _check_sandbox(as_json)
        return
    from dataclasses import asdict, replace

    from rmeval.benchmarks import GENERATED
    from rmeval.cli.logs import show_warnings
    from rmeval.doctor.checkpoint import examine
    from rmeval.models.options import model_options
    from rmeval.redaction import redacted
    from rmeval.report.examination import print_examination
    from rmeval.runs.plan import plan

    show_warnings()
    chosen = wanted.one(benchmark or GENERATED, data)
    items = [one.item for one in plan(chosen, wanted.selection(n_items=16)).items()]
    with progress_bar(f"{chosen.card.id}  {model}") as progress:
        found = examine(model, model_options(**options), items, words(dtypes, "--dtypes"), progress)
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
