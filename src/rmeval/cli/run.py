"""`rmeval run`."""

from __future__ import annotations

from typing import Any

from rmeval.cli import options as o
from rmeval.cli.progress import progress_bar
from rmeval.cli.views import write_views

__all__ = ["run_command"]


@o.takes_model_options
@o.takes_item_options
def run_command(
    model: o.Model,
    benchmark: o.Benchmarks,
    options: dict[str, Any],
    wanted: o.Wanted,
    data: o.Data = None,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
) -> None:
    """Evaluate a reward model on one or more benchmarks.

    Give the same command again to continue an interrupted run.

        rmeval run Skywork/Skywork-Reward-V2-Qwen3-0.6B -b rm-bench -b reward-bench

        rmeval run ./my-checkpoint -b pairs --data my_prefs.jsonl -o runs/

        rmeval run ./my-checkpoint -b core
    """
    import gc
    from pathlib import Path

    from rmeval.api import load_model
    from rmeval.benchmarks.locate import refuse_unfetched
    from rmeval.cli.logs import show_warnings
    from rmeval.errors import DataError
    from rmeval.report.ranking import brief_view, combined_views
    from rmeval.report.run import run_view
    from rmeval.report.terminal import print_briefly
    from rmeval.runs.plan import plan
    from rmeval.runs.runner import run

    show_warnings()
    found = wanted.load(benchmark, data)
    for one in found:
        refuse_unfetched(one.card, one.data)
    loaded = load_model(model, **options)
    # Loaded objects live to the end, so the garbage collector need not traverse them.
    gc.freeze()
    # All data are read before scoring starts, so that an error in the last file shows at once.
    plans = []
    for one in found:
        try:
            plans.append(plan(one, wanted.selection()))
        except DataError as error:
            if len(found) > 1:  # The message may not say which of them could not be read.
                raise DataError(f"{one.card.id}: {error}") from error
            raise
    results = []
    for planned in plans:
        with progress_bar(f"{planned.benchmark.card.id}  {loaded.name}") as progress:
            result = run(loaded, planned, Path(out), store_text=store_text, break_lock=break_lock, progress=progress)
        write_views([run_view(result)])
        results.append(result)
    if len(results) > 1:
        print_briefly([*map(brief_view, results), *combined_views(results, brief=True)], "in short")
