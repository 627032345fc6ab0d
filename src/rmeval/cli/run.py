"""`rmeval run`."""

from __future__ import annotations

from typing import Any

from rmeval.cli import options as o

__all__ = ["run_command"]


@o.takes_model_options
def run_command(
    model: o.Model,
    benchmark: o.Benchmarks,
    options: dict[str, Any],
    data: o.Data = None,
    columns: o.Columns = None,
    split: o.Split = None,
    config: o.Config = None,
    size: o.Size = None,
    languages: o.Languages = None,
    out: o.Out = "runs",
    store_text: o.StoreText = False,
    break_lock: o.BreakLock = False,
    subset: o.Subsets = None,
    n_items: o.NItems = None,
    seed: o.Seed = 0,
    limit: o.Limit = None,
) -> None:
    """Evaluate a reward model on one or more benchmarks.

    Interrupted runs go on where they stopped when the same command is given again.

        rmeval run Skywork/Skywork-Reward-V2-Qwen3-0.6B -b rm-bench -b reward-bench

        rmeval run ./my-checkpoint -b pairs --data my_prefs.jsonl -o runs/
    """
    from pathlib import Path

    from rmeval.api import load_benchmark, load_model
    from rmeval.cli.logs import show_warnings
    from rmeval.report.tables import print_report
    from rmeval.runs.runner import plan, run
    from rmeval.runs.selection import Selection

    show_warnings()
    place = o.places(data, benchmark)
    own = o.own_options(
        benchmark, columns=o.columns(columns), split=split, config=config, size=size, languages=o.words(languages)
    )
    selection = Selection(tuple(subset or ()), n_items, seed, limit)
    found = [load_benchmark(name, place[name], seed=seed, **own[name]) for name in benchmark]
    loaded = load_model(model, **options)
    # All data are read before anything is scored, so that a mistake in the last does not show after hours.
    plans = [plan(one, selection) for one in found]
    for planned in plans:
        with o.progress_bar(f"{planned.benchmark.card.id}  {loaded.name}") as progress:
            result = run(loaded, planned, Path(out), store_text=store_text, break_lock=break_lock, progress=progress)
        print_report(result)
