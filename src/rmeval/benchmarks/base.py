"""Base class and functions for benchmarks that read tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from rmeval.benchmarks.card import check_counts, missing_counts
from rmeval.benchmarks.hooks import Benchmark
from rmeval.benchmarks.locate import locate
from rmeval.data.digests import conversation_digest
from rmeval.data.rows import Row, iterate_rows
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.messages import count_of
from rmeval.metrics.composition import Measure, absent
from rmeval.metrics.scoring.aggregates import composed_records
from rmeval.types import Comparison, Conversation, Evidence, Item, Message, Record, Response, ScoreRule

__all__ = ["PAIR", "TableBenchmark", "labelled", "other_sizes", "pair"]

PAIR = (Comparison((0, 1), 0, "chosen/rejected"),)
"""The comparison of a better and a worse response, in this order."""


class TableBenchmark(Benchmark):
    """A benchmark whose items come from rows of files, and whose numbers are weighted sums of accuracies.

    Attributes:
        files: Paths of its files in the source's repository, or `owner/name@revision:path` if there are several
            repositories.
        copies: Paths of the same data in other places, such as a clone of the authors' repository.
        weights: Weights of numbers in the averages that contain them, if these are not their numbers of items.
        parts: Subsets by part; all of them are needed for numbers that are comparable with published ones.
        whole: The number that exists only if each part has items, such as `overall`.
    """

    files: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    weights: Mapping[Measure, float] = MappingProxyType({})
    parts: Mapping[str, Sequence[str]] = MappingProxyType({})
    whole = ""

    def __init__(self, data: str | None = None) -> None:
        """Store the source of the data: a file, a folder, another hub id, or None for the pinned source."""
        self.data = data

    def load(self) -> Iterator[Item]:
        """Read the items one by one.

        Raises:
            DataError: If the data are missing or do not have the expected form, or if the pinned source has other
                numbers of items than the card.
        """
        counts: dict[str, int] = {}
        paths = locate(self.card, self.files, self.data, self.copies)
        for row in self.gathered(_with_all_input(row for path in paths for row in self.rows(path))):
            for item in self.items(row):
                counts[item.subset] = counts.get(item.subset, 0) + 1
                yield item
        if self.data is None:
            check_counts(self.card, counts)

    def rows(self, path: Path) -> Iterable[Row]:
        """Yield the rows of a file; override it for other formats, or to add information from the file's path."""
        return iterate_rows(path)

    def gathered(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Yield the rows of all files; override it to join the rows of one item."""
        return rows

    @abstractmethod
    def items(self, row: Row) -> Iterable[Item]:
        """Yield the items of a row; nothing for a row that the benchmark excludes."""

    def formula(self, measure: Measure) -> str:
        """Return the name and version of a number's formula: `accuracy@1`, or `<benchmark>/<metric>@1`."""
        return "accuracy@1" if measure[0] == "accuracy" else f"{self.card.id}/{measure[0]}@1"

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute a record for each number of `composition`, and those of `further`."""
        table = ItemTable.of(items)
        seen = EvidenceTable.of(table, evidence)
        found = self.outcomes(table, seen, rule)
        return [
            *composed_records(self.card.id, found, self.composition, rule, self.formula, self.weights, intervals),
            *self.further(table, seen, rule, intervals),
        ]

    def further(self, items: ItemTable, evidence: EvidenceTable, rule: ScoreRule, intervals: bool) -> Iterable[Record]:
        """Compute records of numbers that are not sums of accuracies; by default none."""
        return []

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes on missing or incomplete parts, and on counts that differ from the published ones."""
        there = set(ItemTable.of(items).counts)
        parts = self.parts or {name: (name,) for name in self.card.counts}
        missing = [part for part, subsets in parts.items() if not there & set(subsets)]
        partial = [part for part, subsets in parts.items() if part not in missing and not there >= set(subsets)]
        notes = []
        if missing:
            named = _few(missing)
            notes.append(absent(self.whole, named) if self.whole else f"there are no items of {named}")
        if partial:
            notes.append(f"not comparable with published numbers, because incomplete: {_few(partial)}")
        return notes + missing_counts(self.card, items)


def _with_all_input(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows after checking that the benchmark reads every part of the input."""
    for row in rows:
        row.refuse_input()
        yield row


def pair(
    subset: str,
    number: object,
    prompt: str | Conversation,
    better: str | Response,
    worse: str | Response,
    cluster: str | None = None,
) -> Item:
    """Create an item `<subset>/<number>` from a prompt with a better and a worse response.

    Args:
        subset: Subset of the item.
        number: Identifier of the item within the subset.
        prompt: The user's message, or a conversation.
        better: The better response.
        worse: The worse response.
        cluster: The underlying problem; if None, a digest of the prompt.
    """
    conversation = (Message("user", prompt),) if isinstance(prompt, str) else prompt
    return Item(
        id=f"{subset}/{number}",
        subset=subset,
        prompt=conversation,
        responses=(
            Response(better, 1.0) if isinstance(better, str) else better,
            Response(worse, 0.0) if isinstance(worse, str) else worse,
        ),
        comparisons=PAIR,
        cluster=cluster or conversation_digest(conversation),
    )


def labelled(row: Row, stem: str) -> tuple[str, str]:
    """Return the better and the worse of the texts in columns `<stem>1` and `<stem>2`, according to the column `label`.

    Raises:
        DataError: If the label is neither 1 nor 2, or a text is missing.
    """
    label = row.label("label")
    return row.text(f"{stem}{label}"), row.text(f"{stem}{3 - label}")


def other_sizes(items: Sequence[Item], size: int, subsets: Collection[str]) -> list[str]:
    """Return a note if items of some subsets do not have the published number of responses.

    Args:
        items: The items.
        size: The published number of responses of an item.
        subsets: The subsets to check.
    """
    table = ItemTable.of(items)
    inside = np.isin(table.subset, [code for code, name in enumerate(table.subsets) if name in subsets])
    other = int((inside & (np.diff(table.offsets) != size)).sum())
    return (
        [f"not comparable with published numbers: {count_of(other, 'item')} without {size} responses"] if other else []
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


_NAMED = 6
