"""The types of published results: boards and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rmeval.messages import count_of
from rmeval.metrics.composition import Measure

__all__ = ["PublishedBoard", "PublishedRow"]


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """The published results of a model.

    Attributes:
        model: The model's name, as the source spells it.
        kind: The kind of model in the source's words, such as `Scalar RM` or `DPO`; empty if it states none.
        values: The numbers, as shares between 0 and 1, under the metric and scope of rmeval's own records.
        url: The page of the model or of its results; empty if the source states none.
        notes: What a reader must know of the numbers, one sentence each.
        contradicts: Whether the numbers contradict each other, or the source that they come from.
        licence: The licence in the source's words; empty if it states none.
    """

    model: str
    kind: str
    values: Mapping[Measure, float]
    url: str
    notes: tuple[str, ...] = ()
    contradicts: bool = False
    licence: str = ""


@dataclass(frozen=True, slots=True)
class PublishedBoard:
    """Published results of several models on a benchmark.

    Attributes:
        id: Short name, for the command line.
        name: Name in prose.
        benchmark: The benchmark's id, or the name of a number that combines several.
        source: Address of the source.
        date: Date of the source as YYYY, YYYY-MM or YYYY-MM-DD; empty if it is not known.
        headline: The number that orders the rows.
        rows: The rows, the best first; rows without the headline come last.
        notes: What a reader must know of the board, one sentence each.
        licence: Licence of the source, as it states it.
        formula: Name and version of the formula of the headline.
        place: Where in the source the rows are, such as `Table 7`; empty if the source is the board.
    """

    id: str
    name: str
    benchmark: str
    source: str
    date: str
    headline: Measure
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...] = ()
    licence: str = ""
    formula: str = ""
    place: str = ""

    @property
    def described(self) -> str:
        """The name with the date, and how many of the ranked rows contradict themselves."""
        wrong = sum(row.contradicts for row in self.ranked)
        marked = f"{count_of(wrong, 'row')} contradict{'s its' if wrong == 1 else ' their'} own numbers"
        told = "; ".join([*([self.date] if self.date else []), *([marked] if wrong else [])])
        return f"{self.name} ({told})" if told else self.name

    @property
    def ranked(self) -> tuple[PublishedRow, ...]:
        """The rows that have the headline, the best first."""
        return tuple(row for row in self.rows if self.headline in row.values)
