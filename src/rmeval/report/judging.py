"""Tables of a judge's run: outputs without a verdict, and effects of the order of responses."""

from __future__ import annotations

from collections.abc import Iterator

from rmeval.metrics.stats.positions import Share
from rmeval.report.cells import COUNT, Number
from rmeval.report.views import Row, Table
from rmeval.results.judging import MOST_FAILED, Judging

__all__ = ["judging_tables"]


def judging_tables(found: Judging) -> Iterator[Table]:
    """Yield the tables that exist: the headline under both rules for failures, the failures, and effects of order."""
    if found.rules:
        rows = tuple(
            Row(f"failures {what} ({record.rule})", (Number(record.value, record.ci),))
            for what, record in zip(("lose", "left out"), found.rules, strict=True)
        )
        title = "the headline by rule for outputs without a verdict"
        yield Table("failure rules", ("", "value"), rows, title)
    if found.failed:
        yield _failures(found)
    if found.orders:
        yield _orders(found.orders)


def _failures(found: Judging) -> Table:
    rows = []
    for one in found.failed:
        rows.append(Row(one.status, (Number(one.count, unit=COUNT), Number(one.of, unit=COUNT), Number(one.share))))
        rows += [
            Row(
                name, (Number(count, unit=COUNT), Number(of, unit=COUNT), Number(count / of)), f"{one.status} {name}", 1
            )
            for name, (count, of) in one.subsets.items()
        ]
    limit = "" if found.publishable else f"; above {100 * MOST_FAILED:g}%, so the numbers are not publishable"
    uneven = "; indented: subsets with more than the rest" if any(one.subsets for one in found.failed) else ""
    return Table(
        "failures", ("", "outputs", "of", "share"), tuple(rows), f"outputs without a verdict, by status{uneven}{limit}"
    )


def _orders(orders: tuple[Share, ...]) -> Table:
    sizes = {one.size for one in orders}
    rows = tuple(
        Row(_label(one, len(sizes) > 1), (Number(one.value, one.ci), Number(one.count, unit=COUNT)), _name(one))
        for one in orders
    )
    pairs = "a judge without a preferred position prefers the first response in 50.0% of the verdicts on pairs"
    several = "a judge without a preferred position chooses each of k positions in 100/k% of the verdicts"
    return Table(
        "orders",
        ("", "share", "verdicts"),
        rows,
        "order of responses, over all comparisons",
        notes=(pairs if sizes == {2} else several,),
    )


def _label(one: Share, several: bool) -> str:
    place = "" if one.position is None else _ordinal(one.position)
    text = {
        "flipped": "verdict depends on the order",
        "prefers": f"prefers the {place} response",
        "accuracy": f"accuracy, better response {place}",
        "ties": "declared ties",
    }[one.name]
    return f"{text} (of {one.size})" if several else text


def _name(one: Share) -> str:
    parts = [one.name, *([f"position {one.position}"] if one.position is not None else []), f"of {one.size}"]
    return " ".join(parts)


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")
