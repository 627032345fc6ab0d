"""`rmeval sweep`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo
from rmeval.cli.views import check_output, write_views
from rmeval.messages import count_of

if TYPE_CHECKING:
    from rmeval.sweep.models_file import SweepModel
    from rmeval.sweep.runs_there import SweepRun
    from rmeval.sweep.sweep import Outcome

__all__ = ["sweep_command"]

_MODELS = "Which models"
_ENGINE_OPTIONS = (
    *("dtype", "device", "batch_size", "max_length", "on_overlength", "trust_remote_code", "model_kwargs"),
    *("engine", "replicas", "gpus_per_replica", "ray_address", "replica_engine"),
)
"""Options for all models of the list, which a model's own options replace."""

Models = Annotated[
    str,
    typer.Argument(help="YAML file with a list of models, or a list that comes with rmeval: rm-bench, reward-bench."),
]
MaxParams = Annotated[
    float | None,
    typer.Option(
        "--max-params",
        min=0,
        help="Largest number of parameters, in billions by the model's card.",
        rich_help_panel=_MODELS,
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        help="Kind of models: classifier, implicit, comparator, judge, process or baseline. Repeatable.",
        rich_help_panel=_MODELS,
    ),
]
UnknownSize = Annotated[
    bool,
    typer.Option("--unknown-size", help="With --max-params: keep models of unknown size.", rich_help_panel=_MODELS),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", help="Id or name of a model to leave out. Repeatable.", rich_help_panel=_MODELS),
]
CacheLimit = Annotated[
    str | None,
    typer.Option(
        "--cache-limit",
        help="Largest size of the hub cache, such as 200GB: files that sweeps into this folder downloaded are deleted "
        "when room is needed; never files that were there before.",
        rich_help_panel="Disk",
    ),
]
Board = Annotated[
    Path | None,
    typer.Option("--board", help="File for the board at the end. Default: standard output.", rich_help_panel=o.OUT),
]


@o.takes_some_model_options(*_ENGINE_OPTIONS)
@o.takes_item_options
def sweep_command(
    models: Models,
    benchmark: o.Benchmarks,
    options: dict[str, Any],
    wanted: o.Wanted,
    data: o.Data = None,
    max_params: MaxParams = None,
    kind: Kinds = None,
    unknown_size: UnknownSize = False,
    skip: Skip = None,
    cache_limit: CacheLimit = None,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and run nothing.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the board of the runs that are there, and run nothing.")
    ] = False,
    board: Board = None,
    form: o.ReportFormat = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Evaluate many models on many benchmarks, and show their numbers beside the published ones.

    Each model runs in a process of its own. Give the same command again to continue: complete runs are not run again,
    and models that failed are tried again.

        rmeval sweep models.yaml -b core -o runs/

        rmeval sweep rm-bench -b rm-bench --max-params 8 --cache-limit 200GB
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.sweep.choose import Choice
    from rmeval.sweep.models_file import read_models

    show_warnings()
    form, board = check_output(form, board, False, overwrite)
    choice = Choice(max_params, tuple(kind or ()), unknown_size, tuple(skip or ()))
    chosen, notes = choice.of(read_models(models), models)
    chosen = [one.with_defaults(options) for one in chosen]
    for note in notes:
        echo(f"note: {with_options(note)}", err=True)
    counts = _counts(wanted, benchmark, data)
    if dry_run or show:
        views = _shown(chosen, list(counts), Path(out)) if show else _planned(chosen, counts, Path(out))
        write_views(views, form, board)
        return
    job = {"benchmarks": benchmark, "data": data, "wanted": wanted.values, "out": out}
    outcomes = _run(chosen, list(counts), job | {"store_text": store_text, "break_lock": break_lock}, cache_limit)
    from rmeval.report.sweep import sweep_views

    write_views(sweep_views(_runs(outcomes, list(counts))), form, board)
    if any(one.failures for one in outcomes):
        raise typer.Exit(1)


def _counts(wanted: o.Wanted, benchmark: Sequence[str], data: Sequence[str] | None) -> dict[str, int]:
    """The number of items of each benchmark; their data are read once before any model runs, so that errors show."""
    from rmeval.benchmarks.locate import refuse_unfetched
    from rmeval.errors import DataError
    from rmeval.runs.plan import plan

    counts = {}
    for one in wanted.load(benchmark, data):
        refuse_unfetched(one.card, one.data)
        try:
            counts[one.card.id] = len(plan(one, wanted.selection()).stored.table)
        except DataError as error:
            raise DataError(f"{one.card.id}: {error}") from error
    return counts


def _run(
    models: Sequence[SweepModel], benchmarks: Sequence[str], job: Mapping[str, Any], cache_limit: str | None
) -> list[Outcome]:
    """Run the models, and say on standard error how far the sweep is."""
    from rmeval.sweep.disk import room_of
    from rmeval.sweep.sweep import sweep

    start = time.monotonic()

    def begin(number: int, model: SweepModel) -> None:
        echo(f"[{number} of {len(models)}] {model.label}  ({_minutes(time.monotonic() - start)} elapsed)", err=True)

    def end(outcome: Outcome) -> None:
        if outcome.failures:
            echo(f"failed: {outcome.model.label}: {with_options(outcome.reason)}", err=True)
        if outcome.runs:
            scored = f"{count_of(outcome.new, 'request')} scored" if outcome.new else "complete before, nothing to run"
            echo(f"done: {outcome.model.label}, {scored} ({_minutes(outcome.seconds)})", err=True)

    def tell(note: str) -> None:
        echo(f"note: {with_options(note)}", err=True)

    outcomes = sweep(models, benchmarks, job, room_of(cache_limit, Path(str(job["out"])), tell), begin, end)
    failed = sum(bool(one.failures) for one in outcomes)
    echo(
        f"{count_of(len(outcomes), 'model')}, {failed or 'none'} failed ({_minutes(time.monotonic() - start)})",
        err=True,
    )
    return outcomes


def _minutes(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def _runs(outcomes: Sequence[Outcome], benchmarks: Sequence[str]) -> dict[str, list[SweepRun]]:
    """The models on each benchmark, after a sweep."""
    from rmeval.results.result import open_run
    from rmeval.sweep.runs_there import SweepRun

    def of(outcome: Outcome, name: str) -> SweepRun:
        if name in outcome.runs:
            return SweepRun(outcome.model, open_run(outcome.runs[name]))
        return SweepRun(outcome.model, state="failed", reason=with_options(outcome.failures[name]))

    return {name: [of(one, name) for one in outcomes] for name in benchmarks}


def _shown(models: Sequence[SweepModel], benchmarks: Sequence[str], out: Path) -> list[Any]:
    from rmeval.report.sweep import sweep_views
    from rmeval.sweep.runs_there import find_run

    return sweep_views({name: [find_run(out, name, one) for one in models] for name in benchmarks})


def _planned(models: Sequence[SweepModel], counts: Mapping[str, int], out: Path) -> list[Any]:
    from rmeval.report.sweep import sweep_plan_view
    from rmeval.sweep.runs_there import state_of

    return [sweep_plan_view([(one, state_of(out, list(counts), one)) for one in models], counts)]
