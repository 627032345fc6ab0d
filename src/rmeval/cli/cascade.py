"""`rmeval cascade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.server_options import PriceFile
from rmeval.cli.values import share_of
from rmeval.cli.views import check_output, write_views

__all__ = ["cascade_command"]

_GOAL = "Goal"
Cheap = Annotated[Path, typer.Argument(help="Run of the cheap judge or model.")]
Expensive = Annotated[Path, typer.Argument(help="Run of the expensive one on the same items.")]
Accuracy = Annotated[
    float | None,
    typer.Option(
        help="Fewest escalations with this accuracy in %. Default: that of the expensive judge.", rich_help_panel=_GOAL
    ),
]
Budget = Annotated[
    float | None, typer.Option(help="Highest accuracy for this many dollars for 1,000 items.", rich_help_panel=_GOAL)
]
Escalated = Annotated[
    float | None,
    typer.Option(help="Highest accuracy with at most this share escalated, in %.", rich_help_panel=_GOAL),
]
Metric = Annotated[
    str | None, typer.Option(help="Number of the cascade, such as hard. Default: the benchmark's headline metric.")
]


def cascade_command(
    cheap: Cheap,
    expensive: Expensive,
    accuracy: Accuracy = None,
    budget: Budget = None,
    escalated: Escalated = None,
    prices: PriceFile = None,
    metric: Metric = None,
    scope: Annotated[str, typer.Option(help="Part of the benchmark, such as chat.")] = "all",
    variant: o.Variant = None,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Combine two runs: a cheap judge decides where it is confident, an expensive one decides the rest.

    Shows accuracy, share escalated and cost at each threshold of the confidence, and chooses one.

    rmeval cascade runs/rm-bench/small runs/rm-bench/large --prices prices.toml
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.cascade import cascade_runs

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    found = cascade_runs(
        cheap,
        expensive,
        accuracy=share_of(accuracy, "accuracy"),
        budget=budget,
        escalated=share_of(escalated, "escalated"),
        prices=prices,
        metric=metric,
        scope=scope,
        rule=rule,
        variant=variant,
        benchmark=benchmark,
        protocol=protocol,
    )
    if plots is not None:
        from rmeval.report.figures.cascade import draw_cascade

        path = plots / "cascade.png"
        draw_cascade(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.cascade import cascade_view

    write_views([cascade_view(found)], form, out)
