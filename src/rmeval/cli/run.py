"""`rmeval run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import until_of
from rmeval.cli.views import write_views

if TYPE_CHECKING:
    from rmeval.benchmarks import Benchmark
    from rmeval.errors import OpenBatchError
    from rmeval.models import RewardModel
    from rmeval.runs.plan import Plan
    from rmeval.runs.until import StoppingRule

__all__ = ["run_command"]


Until = Annotated[
    str | None,
    typer.Option(
        help="Stop early: when the 95% interval of the headline is this many points wide, such as 3; or decided, with "
        "--versus.",
        rich_help_panel=o.WHICH,
    ),
]
Versus = Annotated[
    list[Path] | None,
    typer.Option(
        help="Run of another model, for --until decided: stop when it is known which of the two is better. Repeatable.",
        rich_help_panel=o.WHICH,
    ),
]
BatchOut = Annotated[
    Path | None,
    typer.Option(
        help="Write the calls of a judge that have no result yet to this file as a batch, and send none.",
        rich_help_panel="Judge",
    ),
]
BatchIn = Annotated[
    list[Path] | None,
    typer.Option(
        help="Read a judge's outputs from results of a batch, and send no call. Repeatable.", rich_help_panel="Judge"
    ),
]


@o.takes_model_options
@o.takes_item_options
def run_command(
    model: o.Model,
    benchmark: o.Benchmarks,
    options: dict[str, Any],
    wanted: o.Wanted,
    data: o.Data = None,
    until: Until = None,
    versus: Versus = None,
    batch_out: BatchOut = None,
    batch_in: BatchIn = None,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Count a judge's calls, tokens and cost; send nothing.", rich_help_panel="Judge"
        ),
    ] = False,
) -> None:
    """Evaluate a reward model on one or more benchmarks.

    Give the same command again to continue an interrupted run.

        rmeval run Skywork/Skywork-Reward-V2-Qwen3-0.6B -b rm-bench -b reward-bench

        rmeval run ./my-checkpoint -b pairs --data my_prefs.jsonl -o runs/

        rmeval run ./my-checkpoint -b core

        rmeval run ./my-checkpoint -b rm-bench --until decided --versus runs/rm-bench/other
    """
    import gc

    from rmeval.api import load_model
    from rmeval.benchmarks.locate import refuse_unfetched
    from rmeval.cli.logs import show_warnings

    show_warnings()
    target = None if until is None else until_of(until)
    found = wanted.load(benchmark, data)
    for one in found:
        refuse_unfetched(one.card, one.data)
    if dry_run:
        _count_calls(model, found, wanted, options, Path(out))
        return
    loaded = load_model(model, **options, **_batch(batch_out, batch_in or ()))
    _describe(loaded)
    # Loaded objects live to the end, so the garbage collector need not traverse them.
    gc.freeze()
    plans = _planned(found, wanted, loaded, target, versus or ())
    _run_all(loaded, plans, Path(out), store_text, break_lock)


def _run_all(
    loaded: RewardModel,
    plans: Sequence[tuple[Plan, StoppingRule | None]],
    out: Path,
    store_text: bool,
    break_lock: bool,
) -> None:
    """Run a model on each benchmark, and print the numbers."""
    from rmeval.errors import OpenBatchError
    from rmeval.report.ranking import brief_view, combined_views
    from rmeval.report.run import run_view
    from rmeval.report.terminal import print_briefly
    from rmeval.runs.runner import run

    results = []
    for planned, until in plans:
        try:
            with progress_bar(f"{planned.benchmark.card.id}  {loaded.name}") as progress:
                result = run(
                    loaded,
                    planned,
                    out,
                    store_text=store_text,
                    break_lock=break_lock,
                    progress=progress,
                    until=until,
                )
        except OpenBatchError as left:
            _say_what_is_left(left, planned.benchmark.card.id)
            continue
        write_views([run_view(result)])
        results.append(result)
    if len(results) > 1:
        print_briefly([*map(brief_view, results), *combined_views(results, brief=True)], "in short")


def _count_calls(model: str, found: Sequence[Benchmark], wanted: o.Wanted, options: dict[str, Any], out: Path) -> None:
    """Print what a judge's run would send."""
    from rmeval.models.options import check_options, model_options
    from rmeval.report.dry_run import dry_run_view
    from rmeval.runs.dry_run import dry_run
    from rmeval.runs.plan import plan

    own = model_options(**options)
    check_options(own)
    write_views([dry_run_view([dry_run(model, plan(one, wanted.selection()), own, out) for one in found])])


def _describe(loaded: RewardModel) -> None:
    """Print what was found out of a served model."""
    if loaded.kind == "served":
        from rmeval.models.served.model import Served

        if isinstance(loaded, Served):
            echo(f"served: {loaded.describe()}", err=True)


def _say_what_is_left(left: OpenBatchError, benchmark: str) -> None:
    """Print what was written to a batch; an error if nothing was."""
    from rmeval.cli.flags import with_options

    if not left.written:
        raise left
    echo(f"{benchmark}: {with_options(str(left))}")


def _batch(out: Path | None, files: Sequence[Path]) -> dict[str, Any]:
    """The options of a batch that are given, so that models that are no judges get none."""
    given = {"batch_out": None if out is None else str(out), "batch_in": tuple(map(str, files))}
    return {name: value for name, value in given.items() if value}


def _planned(
    found: Sequence[Benchmark],
    wanted: o.Wanted,
    loaded: RewardModel,
    target: float | str | None,
    versus: Sequence[Path],
) -> list[tuple[Plan, StoppingRule | None]]:
    """The plan and the stopping rule of each benchmark.

    All data are read before scoring starts, so that an error in the last file shows at once.
    """
    from rmeval.errors import DataError
    from rmeval.runs.plan import plan
    from rmeval.runs.until import stopping_rule

    plans = []
    for one in found:
        try:
            planned = plan(one, wanted.selection())
            plans.append((planned, stopping_rule(target, versus, planned, loaded)))
        except DataError as error:
            if len(found) > 1:  # The message may not say which of them could not be read.
                raise DataError(f"{one.card.id}: {error}") from error
            raise
    return plans
