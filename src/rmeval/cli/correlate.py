"""`rmeval correlate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.printed import refuse_shared_files
from rmeval.cli.run_options import RunOutput, takes_output_options
from rmeval.cli.values import key_values
from rmeval.errors import RmevalError

__all__ = ["correlate_command"]

_PAIRS, _BASE = "Which numbers", "Base"


class Coefficients(StrEnum):
    """Coefficients; see `rmeval.metrics.stats.permutation.METHODS`."""

    pearson = "pearson"
    spearman = "spearman"
    kendall = "kendall"


class Relative(StrEnum):
    """How results are relative to the base."""

    difference = "difference"
    ratio = "ratio"


class Standardize(StrEnum):
    """What is standardised within each of several pairs."""

    both = "both"
    scores = "scores"


Scores = Annotated[
    list[Path],
    typer.Argument(
        help="Tables with a row for each reward model (CSV, JSON, JSON Lines), folders of runs, or packaged boards "
        "such as published:rm-bench."
    ),
]
Against = Annotated[
    Path, typer.Option(help="Table with a row for each policy, named as the reward model that trained it.")
]
Pair = Annotated[
    list[str] | None,
    typer.Option(
        help="SCORE=RESULT, two columns to correlate; several are pooled. Default: all with all. Repeatable.",
        rich_help_panel=_PAIRS,
    ),
]
Treatment = Annotated[str | None, typer.Option(help="Instead, the pairs of a paper: rm-bench.", rich_help_panel=_PAIRS)]
Method = Annotated[Coefficients, typer.Option(help="The coefficient that is tested.", rich_help_panel=_PAIRS)]
StandardizeOption = Annotated[
    Standardize | None,
    typer.Option(
        help="What is standardised within each of several pairs. Default: both; scores for a treatment with a base.",
        rich_help_panel=_PAIRS,
    ),
]
Base = Annotated[
    str | None,
    typer.Option(help="Row of the policy before training, to which results become relative.", rich_help_panel=_BASE),
]
RelativeOption = Annotated[
    Relative, typer.Option(help="difference from the base, or ratio: the relative change.", rich_help_panel=_BASE)
]
MatchOption = Annotated[
    list[str] | None,
    typer.Option(help="REWARD-MODEL=POLICY, for names that differ in the tables. Repeatable."),
]


@takes_output_options
def correlate_command(
    scores: Scores,
    against: Against,
    pair: Pair = None,
    treatment: Treatment = None,
    method: Method = Coefficients.pearson,
    standardize: StandardizeOption = None,
    base: Base = None,
    relative: RelativeOption = Relative.difference,
    match: MatchOption = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    output: RunOutput,
) -> None:
    """Correlate scores of reward models with results of the policies that they trained.

    Models are permuted and resampled, not points: four models in three domains are four models.

    rmeval correlate runs/ --against policies.csv --pair rm-bench:hard:math=gsm8k --base sft
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.predict.correlate import correlate_scores

    show_warnings()
    refuse_shared_files({"-o": output.file}, [*scores, against])
    found = correlate_scores(
        list(scores),
        against,
        pairs=_pairs(pair or ()),
        treatment=treatment,
        method=method.value,
        base=base,
        relative=relative.value,
        standardize=None if standardize is None else standardize.value,
        match=key_values(match or (), "--match"),
    )
    if plots is not None:
        from rmeval.report.figures.correlate import draw_correlations

        path = plots / "correlate.png"
        draw_correlations(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    from rmeval.report.correlate import correlations_view

    output.write(found.to_dict, lambda: [correlations_view(found)])


def _pairs(given: list[str] | tuple[str, ...]) -> list[tuple[str, str]]:
    """Split pairs of columns; one column of scores may be in several pairs.

    Raises:
        RmevalError: If one has no `=`.
    """
    found = []
    for text in given:
        score, equals, result = text.partition("=")
        if not equals or not score.strip() or not result.strip():
            raise RmevalError(f"--pair takes SCORE=RESULT, not {text!r}")
        found.append((score.strip(), result.strip()))
    return found
