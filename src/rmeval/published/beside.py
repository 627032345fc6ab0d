"""A run's numbers beside the published numbers of the same model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rmeval.metrics.composition import Measure, headline
from rmeval.published.board import PublishedBoard, PublishedRow
from rmeval.published.places import incomparable, other_data, own_row
from rmeval.published.reading import published_boards
from rmeval.results.pins import pinned
from rmeval.results.result import Result
from rmeval.types import Record

__all__ = ["Beside", "Verdict", "beside_published", "data_note"]

Verdict = Literal["confirmed", "contradicted", "no published number", "not comparable"]
_ROUNDING = 0.0005
"""Half of the last digit of most sources, which state percents with one decimal."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A number of a run, and the published number of the same model.

    Attributes:
        record: The run's number.
        published: The published number; None if there is none.
        board: The board that it is from.
        row: The model's row there.
        reason: Why the two are not comparable, such as `is unfinished`; empty if they are.
    """

    record: Record
    published: float | None = None
    board: PublishedBoard | None = None
    row: PublishedRow | None = None
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """The run's number minus the published one; None if there is none, or they are not comparable."""
        return None if self.published is None or self.reason else self.record.value - self.published

    @property
    def verdict(self) -> Verdict:
        """Whether the published number is in the run's interval."""
        if self.published is None:
            return "no published number"
        if self.reason or self.record.ci is None:
            return "not comparable"
        low, high = self.record.ci
        inside = low - _ROUNDING <= self.published <= high + _ROUNDING
        return "confirmed" if inside else "contradicted"


def beside_published(result: Result, *names: str) -> tuple[Beside, ...]:
    """Return a run's headline and its other numbers that are published, each beside the published one.

    Args:
        result: The run.
        *names: The model's names, such as its hub id, by which its published row is found; by default the run's.
    """
    own = {(one.metric, one.scope): one for one in _records(result)}
    if (top := headline(own)) is None:
        return ()
    found = next(((board, row) for board, row in _rows(result, names) if set(row.values) & set(own)), None)
    if found is None:
        return (Beside(own[top]),)
    board, row = found
    reason = incomparable(result)
    shared: list[Measure] = [top, *(measure for measure in row.values if measure in own and measure != top)]
    return tuple(Beside(own[one], row.values.get(one), board, row, reason) for one in shared)


def _records(result: Result) -> list[Record]:
    """The numbers of the run's first score."""
    return [one for one in result.records if one.variant == result.records[0].variant]


def _rows(result: Result, names: Sequence[str]) -> Iterator[tuple[PublishedBoard, PublishedRow]]:
    """Yield the rows of a model, that of the main board first."""
    for board in published_boards(str(result.manifest["benchmark"]["id"])):
        for name in names or (str(result.manifest["model"]["name"]),):
            if (row := own_row(name, board)) is not None:
                yield board, row
                break


def data_note(result: Result) -> str:
    """Return which data a run is on, and whether they are known to be the published ones."""
    benchmark = result.manifest["benchmark"]
    if benchmark["data"] is None:
        source, revision = benchmark.get("source") or "generated data", benchmark.get("revision")
        return f"data: {source}{f' at {revision}' if revision else ''}"
    if not pinned(benchmark["id"]):
        return f"data: {benchmark['data']}, which rmeval cannot check against the published data"
    return f"data: {benchmark['data']}{' (the published items)' if not other_data(result) else ''}"
