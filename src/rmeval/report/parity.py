"""View of the comparison of two engines, for `rmeval parity`."""

from __future__ import annotations

from collections.abc import Iterator

from rmeval.doctor.parity import Parity, Side
from rmeval.messages import count_of
from rmeval.report.cells import COUNT, DECIMALS, FIGURES, Cell, Number, Unit
from rmeval.report.views import Row, Table, View

__all__ = ["parity_view"]


def _small(value: float) -> str:
    return f"{value:.2g}"


def _share(value: float) -> str:
    return f"{100 * value:.2g}"


_DIFFERENCE = Unit(_small, _small)
_SHARE = Unit(_share, _share)


def parity_view(found: Parity, benchmark: str, data: str = "") -> View:
    """Return the view of a comparison of two engines.

    Args:
        found: The comparison.
        benchmark: The benchmark of its items.
        data: The data that were read or generated.
    """
    return View(
        benchmark,
        (_sides(found), _differences(found)),
        model=found.model,
        data=data,
        about=(
            found.verdict,
            f"{count_of(found.requests, 'request')} of {count_of(found.items, 'item')}; "
            f"{count_of(found.decisions, 'decision')}",
            f"tokens: {found.tokens.text}",
        ),
    )


def _sides(found: Parity) -> Table:
    failed = _any_failed(found)
    rows = (Row(f"a: {found.a.name}", _side(found.a, failed)), Row(f"b: {found.b.name}", _side(found.b, failed)))
    note = (
        "batches: the largest difference of a score between one by one, batches of 8, and all together, by the same "
        "engine; repeated: between two passes one by one"
    )
    columns = ("", "dtype", "scored", "batches", "repeated", *(("not scored",) if _any_failed(found) else ()))
    return Table("engines", columns, rows, "each engine against itself", (note,))


def _any_failed(found: Parity) -> bool:
    return bool(found.a.failures or found.b.failures)


def _side(side: Side, failures: bool) -> tuple[Cell, ...]:
    return (
        side.dtype or None,
        Number(side.scored, unit=COUNT),
        Number(side.batching, unit=_DIFFERENCE),
        Number(side.repeated, unit=_DIFFERENCE),
        *((side.failures or None,) if failures else ()),
    )


def _differences(found: Parity) -> Table:
    columns = ("", "value", "% of spread")
    note = "spread: the standard deviation of the margins of a's decisions"
    if found.flips:
        note += f"; near-ties: changed decisions with a margin of at most {2 * found.tolerance:.2g}"
    return Table("differences", columns, tuple(_rows(found)), "b against a", (note,), keys=("name", "value", "share"))


def _rows(found: Parity) -> Iterator[Row]:
    for label, value in (
        ("largest difference", found.difference),
        ("median difference", found.median),
        ("noise of one engine", found.noise),
        ("tolerance", found.tolerance),
    ):
        share = Number(value / found.spread, unit=_SHARE) if found.spread else None
        yield Row(label, (Number(value, unit=_DIFFERENCE), share))
    yield Row("spread", (Number(found.spread, unit=FIGURES), None))
    yield Row("changed decisions", (Number(found.flips, unit=COUNT), None))
    if found.flips:
        yield Row("near-ties among them", (Number(found.near_ties, unit=COUNT), None))
    yield Row("rank correlation", (Number(found.ranks, unit=DECIMALS), None))
