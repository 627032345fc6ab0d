"""View of a comparison of models, for `rmeval compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from rmeval.messages import count_of
from rmeval.metrics.composition import Measure
from rmeval.metrics.scoring.style_substance import GAP
from rmeval.metrics.stats.paired import Difference
from rmeval.report.cells import COUNT, DIFFERENCE, NEEDED, P_VALUE, POINTS, Cell, Joined, Number
from rmeval.report.run import measure_name, number_of, shown_nulls
from rmeval.report.views import Row, Table, View
from rmeval.results.compare import ModelComparison

__all__ = ["comparison_view"]

_BESIDE = 6
"""Maximum number of models that fit next to each other."""
_PAIRS = 15
"""Number of pairs of models above which only models with adjacent ranks are compared."""


def comparison_view(found: ModelComparison) -> View:
    """Return the view of a comparison: ranks, differences by pair, and each number of each model."""
    about = [
        f"{len(found.entries)} models on {count_of(found.n_items, 'item')} of {count_of(found.n_clusters, 'problem')}; "
        f"ties and failures: {found.rule}"
    ]
    own = found.differences[found.headline][0]
    if own.n_items != found.n_items:
        problems = count_of(own.n_clusters, "problem")
        about.append(f"{_named(found.headline)}: {count_of(own.n_items, 'item')} of {problems}")
    tables = (_ranking(found), _differences(found), *_numbers(found))
    return View(found.benchmark, tables, about=tuple(about), notes=(*found.notes, *_left_out(found)))


def _left_out(found: ModelComparison) -> Iterator[str]:
    """What the tables have no room for."""
    if len(found.differences[found.headline]) > _PAIRS:
        yield "differences are shown for neighbours in rank only: `as_json` has those of all pairs"
    if len(found.entries) > _BESIDE and len(found.differences) > 1:
        yield f"other numbers are shown for up to {_BESIDE} models only: `as_json` has them"


def _named(measure: Measure) -> str:
    return "accuracy" if measure == ("accuracy", "all") else measure_name(measure)


def _ranking(found: ModelComparison) -> Table:
    records = [entry.records[found.headline] for entry in found.entries]
    rows = [
        Row(entry.name, (number_of(record), _rank(entry.rank), entry.group))
        for entry, record in zip(found.entries, records, strict=True)
    ]
    rows += [
        Row(f"null baseline {name}", (Number(records[0].null[name]), None, None), faint=True)
        for name in shown_nulls(records)
    ]
    gap = "; a gap of 0 is best; ranks start at the largest" if found.headline[0] == GAP else ""
    note = f"models that share a letter do not differ significantly{gap}"
    return Table("ranking", ("", _named(found.headline), "rank", "group"), tuple(rows), notes=(note,))


def _rank(rank: tuple[int, int]) -> Joined:
    numbers = tuple(Number(end, unit=COUNT) for end in rank)
    return Joined(("from", "to"), numbers, "-", once=True)


def _differences(found: ModelComparison) -> Table:
    names = [entry.name for entry in found.entries]
    pairs = [(one, other) for k, one in enumerate(names) for other in names[k + 1 :]]
    if len(pairs) > _PAIRS:
        pairs = list(pairwise(names))
    rows = [
        Row(f"{one.first} - {one.second}", tuple(_difference(one)))
        for one in (found.difference(first, second) for first, second in pairs)
    ]
    total = len(found.differences[found.headline])
    corrected = f", corrected for {total} pairs (Holm)" if total > 1 else ""
    both = f"; both at the level of each of {total} corrected tests" if total > 1 else ""
    how = (
        f"p: cluster sign-flip test{corrected}; discordant: comparisons with a larger credit for the first model, and "
        "for the second; MDE (80% power): the smallest true difference, in points, that a test on this number of "
        "problems detects with a power of 80%; needs: the number of problems with which such a test detects the "
        f"observed difference with that power{both}"
    )
    columns = ("", "difference", "p", "discordant", "MDE (80% power)", "needs")
    title = f"differences in {_named(found.headline)}, in points"
    return Table("differences", columns, tuple(rows), title, (how,))


def _difference(one: Difference) -> Iterator[Cell]:
    yield Number(one.value, one.ci, DIFFERENCE, strong=bool(one.leads))
    yield Number(one.p_holm, unit=P_VALUE)
    counts = tuple(Number(count, unit=COUNT) for count in one.discordant)
    yield Joined(("first", "second"), counts, ":")
    yield Number(one.mde, unit=POINTS)
    yield Number(math.nan if one.needed is None else one.needed, unit=NEEDED)


def _numbers(found: ModelComparison) -> Iterator[Table]:
    """Yield the table of every other number of every model, with letters."""
    measures = [measure for measure in found.differences if measure != found.headline]
    if not measures or len(found.entries) > _BESIDE:
        return
    pairs = sum(len(found.differences[measure]) for measure in measures)
    rows = []
    for measure in measures:
        letters = found.letters(measure)
        apart = len(set(letters)) > 1
        cells = (
            Number(entry.records[measure].value, letters=own if apart else "")
            for entry, own in zip(found.entries, letters, strict=True)
        )
        rows.append(Row(_named(measure), tuple(cells)))
    title = f"other numbers; letters as above, p corrected for {pairs} differences"
    yield Table("numbers", ("", *(entry.name for entry in found.entries)), tuple(rows), title)
