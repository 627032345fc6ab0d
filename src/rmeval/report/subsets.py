"""View of averages that are computed from published subset accuracies."""

from __future__ import annotations

from rmeval.importers.subset_files import SOURCE, SubsetNumbers
from rmeval.metrics.composition import absence, headline
from rmeval.report.cells import COUNT, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View

__all__ = ["subsets_view"]


def subsets_view(found: SubsetNumbers) -> View:
    """Return the view of the headline, sections, subsets and averages."""
    rows: list[Row] = []
    inside = None
    measures = [(number.metric, number.scope) for number in found.numbers]
    top = headline(measures)
    for number in sorted(found.numbers, key=lambda number: (number.metric, number.scope) != top):
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
        absent=absence(measures, found.notes),
    )
