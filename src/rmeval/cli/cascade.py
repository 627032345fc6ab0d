"""`rmeval cascade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_number_options, takes_output_options
from rmeval.cli.server_options import PriceFile
from rmeval.cli.values import share_of

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


@takes_number_options
@takes_output_options
def cascade_command(
    cheap: Cheap,
    expensive: Expensive,
    accuracy: Accuracy = None,
    budget: Budget = None,
    escalated: Escalated = None,
    prices: PriceFile = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    number: dict[str, Any],
    output: RunOutput,
) -> None:
    """Combine two runs: a cheap judge decides where it is confident, an expensive one decides the rest.

    Shows accuracy, share escalated and cost at each threshold of the confidence, and chooses one.

    rmeval cascade runs/rm-bench/small runs/rm-bench/large --prices prices.toml
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.cascade import cascade_runs

    show_warnings()
    found = cascade_runs(
        cheap,
        expensive,
        accuracy=share_of(accuracy, "accuracy"),
        budget=budget,
        escalated=share_of(escalated, "escalated"),
        prices=prices,
        **number,
    )
    if plots is not None:
        from rmeval.report.figures.cascade import draw_cascade

        path = plots / "cascade.png"
        draw_cascade(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    from rmeval.report.cascade import cascade_view

    output.write(found.to_dict, lambda: [cascade_view(found)])
