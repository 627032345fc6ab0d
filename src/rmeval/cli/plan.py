"""`rmeval plan`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_number_options, takes_output_options
from rmeval.cli.server_options import PriceFile
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rmeval.results.goals import Plan

__all__ = ["plan_command"]


def _option(panel: str, text: str, minimum: int | None = None, metavar: str | None = None) -> Any:
    return typer.Option(help=text, min=minimum, metavar=metavar, rich_help_panel=panel)


_GOAL, _ASSUMED, _PRICE = "Goal", "Assumptions", "Price"
Pilot = Annotated[
    list[Path] | None, typer.Argument(help="One or two run folders to estimate from, or a folder with them.")
]
Difference = Annotated[float | None, _option(_GOAL, "Smallest difference of two models that matters, in points.")]
Width = Annotated[float | None, _option(_GOAL, "Width of the 95% interval of a model's accuracy, in points.")]
Problems = Annotated[int | None, _option(_GOAL, "Number of problems: what do they show?", 1)]
Power = Annotated[float, _option(_GOAL, "Power in %: how often the difference is detected.")]
Models = Annotated[int, _option(_GOAL, "Number of models; all pairs are compared.", 2)]
Accuracy = Annotated[float | None, _option(_ASSUMED, "Accuracy of a model in %.")]
Discordance = Annotated[float | None, _option(_ASSUMED, "Comparisons in % that one model wins and the other loses.")]
DesignEffect = Annotated[
    float | None, _option(_ASSUMED, "Variance of an accuracy, divided by that of independent comparisons.")
]
Comparisons = Annotated[
    int | None, _option(_ASSUMED, "Comparisons of one problem. Default: one for each item.", 1, "NUMBER")
]
Items = Annotated[float | None, _option(_ASSUMED, "Items of one problem. Default: 1.", 1, "NUMBER")]
Requests = Annotated[
    float | None, _option(_PRICE, "Requests of a model for one item, over all orders and votes. Default: 1.", 1)
]
Price = Annotated[float | None, _option(_PRICE, "Price of 1,000 requests.", 0)]


@takes_number_options
@takes_output_options
def plan_command(
    pilot: Pilot = None,
    difference: Difference = None,
    width: Width = None,
    problems: Problems = None,
    power: Power = 80.0,
    models: Models = 2,
    accuracy: Accuracy = None,
    discordance: Discordance = None,
    design_effect: DesignEffect = None,
    comparisons_per_problem: Comparisons = None,
    items_per_problem: Items = None,
    requests_per_item: Requests = None,
    price_per_1000: Price = None,
    prices: PriceFile = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    number: dict[str, Any],
    output: RunOutput,
) -> None:
    """Plan an evaluation: how many problems a difference or an interval needs, and their price. Does not load a model.

    rmeval plan --accuracy 80 --discordance 20 --difference 2
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.plan import make_plan

    show_warnings()
    found = make_plan(
        pilot or None,
        **_shares(difference=difference, width=width, power=power, accuracy=accuracy, discordance=discordance),
        problems=problems,
        models=models,
        design_effect=design_effect,
        comparisons_per_problem=comparisons_per_problem,
        items_per_problem=items_per_problem,
        requests_per_item=requests_per_item,
        price_per_1000=price_per_1000,
        prices=prices,
        **number,
    )
    _draw(found, plots, dark)
    from rmeval.report.plan import plan_view

    output.write(found.to_dict, lambda: [plan_view(found)])


def _draw(found: Plan, plots: Path | None, dark: bool) -> None:
    if plots is None:
        return
    from rmeval.report.figures.plan import draw_plan

    path = plots / "plan.png"
    draw_plan(found, path, "dark" if dark else "light")
    echo(f"drawn: {path}", err=True)


def _shares(**percents: float | None) -> dict[str, Any]:
    """Points and percents as shares.

    Raises:
        RmevalError: If one is not between 0 and 100.
    """
    for name, value in percents.items():
        if value is not None and not (math.isfinite(value) and 0 < value < 100):
            raise RmevalError(f"`{name}` must be above 0 and below 100, not {value:g}")
    # 7.1 / 100 is a rounding error away from .071.
    return {name: None if value is None else round(value / 100, 12) for name, value in percents.items()}
