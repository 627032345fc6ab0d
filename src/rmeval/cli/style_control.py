"""`rmeval style-control`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_output_options

__all__ = ["style_control_command"]


class Method(StrEnum):
    """How the numbers are computed."""

    own = "style-control@1"
    reference = "arena-hard@1"


_WHICH = "Which judgments"
Folders = Annotated[
    list[Path], typer.Argument(help="Folders with model_judgment/JUDGE/POLICY.jsonl and model_answer/MODEL.jsonl.")
]
Judges = Annotated[
    list[str] | None,
    typer.Option("--judge", help="The judge, if there are several. Repeatable.", rich_help_panel=_WHICH),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="The model that all policies are compared with. Default: Arena-Hard-Auto's for the category, or the only "
        "model with answers and without judgments.",
        rich_help_panel=_WHICH,
    ),
]
Categories = Annotated[
    list[str] | None,
    typer.Option(
        "--category",
        help="Category of questions. Default: all with one baseline, hard_prompt's if there are several. Repeatable.",
        rich_help_panel=_WHICH,
    ),
]
Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", help="Policy to include. Default: all. Repeatable.", rich_help_panel=_WHICH),
]
HowComputed = Annotated[
    Method,
    typer.Option(
        help="style-control@1: fitted to convergence, 95% intervals over questions; arena-hard@1: as Arena-Hard-Auto."
    ),
]


@takes_output_options
def style_control_command(
    folders: Folders,
    judges: Judges = None,
    baseline: Baseline = None,
    categories: Categories = None,
    policies: Policies = None,
    method: HowComputed = Method.own,
    resamples: Annotated[int, typer.Option(help="Number of resamples of style-control@1.", min=0)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.", min=0)] = 0,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    output: RunOutput,
) -> None:
    """Compute style-control scores of policies from a judge's verdicts, in Arena-Hard-Auto's layout.

    Does not load a model or torch. The CSV or JSON of -o is a table of policies for rmeval correlate.

    rmeval style-control data/arena-hard-v2.0 --judge gpt-4.1 -o policies.csv
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.predict.style_control import style_control_scores

    show_warnings()
    found = style_control_scores(
        folders,
        judges=judges,
        baseline=baseline,
        categories=categories,
        policies=policies,
        method=method.value,
        resamples=resamples,
        seed=seed,
    )
    if plots is not None:
        from rmeval.report.figures.style_control import draw_style_control

        path = plots / "style-control.png"
        draw_style_control(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    from rmeval.report.style_control import style_control_view

    output.write(found.to_dict, lambda: [style_control_view(found)])
