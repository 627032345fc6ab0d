"""View of averages that are computed from published subset accuracies."""

from __future__ import annotations

from rmeval.importers.subset_files import SOURCE, SubsetNumbers
from rmeval.report.cells import COUNT, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View

__all__ = ["subsets_view"]


def subsets_view(found: SubsetNumbers) -> View:
    """Return the view of sections, subsets and averages."""
    rows: list[Row] = []
    inside = None
    for number in found.numbers:
        name = measure_name((number.metric, number.scope))
        label, level, strong = name, 0, True
        if number.metric == "section":
            inside = number.scope
        elif number.metric in ("accuracy", "composite"):
            strong = False
            if inside is not None:
                label, level = name.removeprefix(f"{inside}/"), 1
        if (number.metric, number.scope) == ("overall", "all"):
            label = name = "overall"
        rows.append(Row(label, (Number(number.value), Number(number.n_items, unit=COUNT)), name, level, strong))
    return View(
        found.benchmark,
        (Table("numbers", ("", "accuracy", "items"), tuple(rows)),),
        model=found.model,
        data=found.kind or "",
        about=(f"numbers in %, {SOURCE}",),
        notes=tuple(found.notes),
    )
