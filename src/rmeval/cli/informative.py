"""`rmeval items --informative`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.cli.output import echo, echo_json
from rmeval.cli.printed import check_files
from rmeval.cli.views import check_output, write_views
from rmeval.errors import RmevalError
from rmeval.files import STANDARD

if TYPE_CHECKING:
    from rmeval.cli.options import Format
    from rmeval.results.item_analysis import ShortForm

__all__ = ["Informative", "print_informative"]


@dataclass(frozen=True)
class Informative:
    """What the command line states about the analysis of items.

    Attributes:
        n: Number of items in each list.
        short: Number of items of a short form; its file is the output.
        estimate: A run on a short form.
        metric: The number.
        scope: Its scope.
        variant: Which score to use.
        rule: The score rule.
        benchmark: The `file.py:Class` of the runs' benchmark.
        protocol: The `file.py:Class` of the runs' protocol.
    """

    n: int
    short: int | None
    estimate: Path | None
    metric: str | None
    scope: str
    variant: str | None
    rule: str | None
    benchmark: str | None
    protocol: str | None


def print_informative(
    runs: list[str], given: Informative, form: Format | None, as_json: bool, out: Path | None, overwrite: bool
) -> None:
    """Print the item analysis of runs; with a short form, write its items to `out`.

    Raises:
        RmevalError: If the analysis is not possible, or a file cannot be written.
    """
    from rmeval.data.writing import row_writer
    from rmeval.results.item_analysis import analyze_items
    from rmeval.runs.score_file import output_file

    write = None
    if given.short is not None:
        if out is None or out == STANDARD:
            raise RmevalError("--short writes a file of items: give its name with -o, such as -o items.jsonl")
        out = output_file(out)
        check_files(out, overwrite=overwrite)
        write = row_writer(out)
    form, table = check_output(form, None if write else out, as_json, overwrite)
    found = analyze_items(
        runs,
        short=given.short,
        estimate=given.estimate,
        metric=given.metric,
        scope=given.scope,
        rule=given.rule,
        variant=given.variant,
        benchmark=given.benchmark,
        protocol=given.protocol,
    )
    if found.short and write and out:
        from rmeval.runs.score_file import write_rows

        write_rows(out, _rows(found.short), write)
        echo(f"written: {out}", err=True)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.item_analysis import item_analysis_view

    write_views([item_analysis_view(found, given.n)], form, table)


def _rows(short: ShortForm) -> list[dict[str, object]]:
    return [{"id": name, "weight": weight} for name, weight in short.items]
