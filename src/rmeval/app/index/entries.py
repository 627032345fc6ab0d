"""What the index returns: runs, items, and rows of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rmeval.app.index.query import ItemQuery, Key, Outcome
from rmeval.types import FloatArray

__all__ = ["ComparisonRow", "IndexedItem", "IndexedRun", "ModelScores", "Page", "Tally"]


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """A run in the index.

    Attributes:
        key: Its name in addresses.
        folder: The run folder.
        state: A digest of the state of its files.
        benchmark: Id of the benchmark; empty for a run that cannot be read.
        title: Name of the benchmark in prose.
        model: Name of the model.
        kind: Kind of the model.
        variant: Name of the score that margins are of.
        running: Whether the run is unfinished.
        note: A note on missing items; empty if none is missing.
        error: Why the run cannot be read; empty if it can.
        texts: Why texts cannot be searched; empty if they can, None if they have not been read yet.
    """

    key: str
    folder: Path
    state: str
    benchmark: str
    title: str
    model: str
    kind: str
    variant: str
    running: bool
    note: str
    error: str
    texts: str | None


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A comparison with a winner, as one model decides it.

    Attributes:
        item: Key of the item, for addresses.
        name: The item's id.
        excerpt: The beginning of the last message of its prompt; empty if its texts are not in the index.
        number: Position of the comparison among those of its item.
        subset: The item's subset.
        cell: The comparison's tag.
        margin: The model's margin; None without a score.
        length: Characters of the winner less those of the other response.
        other: The other model's margin, if the query has another run.
    """

    item: str
    name: str
    excerpt: str
    number: int
    subset: str
    cell: str
    margin: float | None
    length: int
    other: float | None

    @property
    def outcome(self) -> Outcome:
        """What the model decides."""
        if self.margin is None:
            return "unscored"
        return "right" if self.margin > 0 else "wrong" if self.margin < 0 else "tie"

    def key(self, query: ItemQuery) -> Key:
        """The row's place in the order of a query."""
        value = self.margin if query.sort.endswith("margin") else self.length if query.sort != "item" else None
        return Key(None if value is None else float(value), self.item, self.number)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a query in its order.

    Attributes:
        rows: The rows.
        previous: The key `before` which the previous page is; None if there is none.
        next: The key `after` which the next page is; None if there is none.
    """

    rows: tuple[ComparisonRow, ...]
    previous: Key | None
    next: Key | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of comparisons by outcome."""

    right: int
    wrong: int
    tie: int
    unscored: int

    @property
    def total(self) -> int:
        """The number of all of them."""
        return self.right + self.wrong + self.tie + self.unscored


@dataclass(frozen=True, slots=True)
class IndexedItem:
    """An item in the index.

    Attributes:
        key: Its name in addresses.
        benchmark: Id of the benchmark.
        name: The item's id.
        subset: The item's subset.
    """

    key: str
    benchmark: str
    name: str
    subset: str


@dataclass(frozen=True, slots=True)
class ModelScores:
    """What a run says of an item.

    Attributes:
        run: The run.
        position: Position of the item in the run, for `rmeval.results.texts.read_item_texts`.
        scores: float64[responses], NaN for a missing score.
        margins: The margin of each comparison with a winner by its number; None without a score.
    """

    run: IndexedRun
    position: int
    scores: FloatArray
    margins: Mapping[int, float | None]
