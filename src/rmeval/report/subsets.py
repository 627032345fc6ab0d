"""Tables of numbers that follow from published subset accuracies."""

from __future__ import annotations

from rmeval.importers.subset_files import SOURCE, SubsetNumbers
from rmeval.report.tables import measure_name, new_table, percent
from rmeval.report.terminal import Line, make_console

__all__ = ["print_subset_numbers"]


def print_subset_numbers(found: SubsetNumbers) -> None:
    """Prints sections, subsets and averages."""
    kind = f"  {found.kind}" if found.kind else ""
    title = Line.assemble((found.benchmark, "bold"), "  ", (found.model, "bold cyan"), kind)
    table = new_table("", "accuracy", "items")
    inside = None
    for number in found.numbers:
        name, style = measure_name((number.metric, number.scope)), "bold"
        if number.metric == "section":
            inside = number.scope
        elif number.metric in ("accuracy", "composite"):
            name, style = name if inside is None else f"  {name.removeprefix(f'{inside}/')}", ""
        shown = "overall" if (number.metric, number.scope) == ("overall", "all") else name
        table.add_row(Line(shown), percent(number.value), str(number.n_items), style=style)
    make_console().print(
        title,
        Line(f"numbers in %, {SOURCE}", "dim"),
        "",
        table,
        *(Line(f"! {note}", style="yellow") for note in found.notes),
        sep="\n",
    )
