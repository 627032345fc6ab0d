"""Table of the tests of equivalence within a margin, for `rmeval compare --margin`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rmeval.messages import points
from rmeval.metrics.stats.equivalence import Equivalence
from rmeval.report.cells import DIFFERENCE, P_VALUE, Cell, Joined, Number
from rmeval.report.views import Row, Table

__all__ = ["equivalence_table"]


def equivalence_table(found: Sequence[Equivalence], total: int, named: str, labels: Mapping[str, str]) -> Table:
    """Return the table of tests of pairs of models.

    Args:
        found: The tests that are shown.
        total: Number of pairs over which p-values are corrected.
        named: Name of the number.
        labels: What stands for the models' names.
    """
    directed = not all(math.isnan(one.p_first) for one in found)
    within = points(found[0].margin)
    rows = tuple(
        Row(f"{labels[one.first]} - {labels[one.second]}", tuple(_cells(one, directed)), f"{one.first} - {one.second}")
        for one in found
    )
    columns = ("", "difference (90%)", *(("no worse",) if directed else ()), "equivalent", "conclusion")
    title = f"equivalence within {within} in {named}, one-sided p-values"
    keys = ("name", "difference", *(("p no worse",) if directed else ()), "p equivalent", "conclusion")
    return Table("equivalence", columns, rows, title, tuple(_notes(directed, within, total)), keys=keys)


def _cells(one: Equivalence, directed: bool) -> Iterator[Cell]:
    yield Number(one.value, one.ci, DIFFERENCE, strong=one.verdict == "equivalent")
    if directed:
        numbers = tuple(Number(p, unit=P_VALUE) for p in (one.p_first_holm, one.p_second_holm))
        yield Joined(("first", "second"), numbers, " / ")
    yield Number(one.p_holm, unit=P_VALUE)
    yield one.verdict


def _notes(directed: bool, within: str, total: int) -> Iterator[str]:
    """Yield what the p-values are, and what follows from them."""
    if directed:
        yield (
            f"no worse: one-sided tests that the first, then that the second model is less than {within} worse than "
            f"the other, corrected for {2 * total} directions (Holm)"
        )
    corrected = f", corrected for {total} pairs (Holm)" if total > 1 else ""
    inside = f"{'; before correction, ' if total > 1 else '; '}below 5% if the 90% interval lies within ±{within}"
    yield f"equivalent: two one-sided tests that the difference is less than {within} either way{corrected}{inside}"
    yield "conclusions at a level of 5%; not shown does not mean that the models differ"
