"""Wrong examples: the comparisons that a model misjudges, or on which two models disagree, with their texts."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rmeval.benchmarks.card import subsets_named
from rmeval.benchmarks.errata import errata_of
from rmeval.data.tables import EvidenceTable, ItemTable, Mask
from rmeval.errors import DataError, RunError
from rmeval.messages import count_of
from rmeval.metrics.margins import Margins, margins
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.results.align import run_names, shared_evidence
from rmeval.results.cells import cells_named
from rmeval.results.examples import JudgedResponse, Tally, WrongExample, WrongExamples
from rmeval.results.judge_texts import Shown, judge_texts, unread_outputs
from rmeval.results.places import Place, only_folder
from rmeval.results.texts import read_item_texts
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import IntArray, Item, Message, Response

__all__ = ["message_text", "response_text", "wrong_examples", "wrong_examples_of"]


def wrong_examples(
    run: Place,
    *,
    subset: str | Sequence[str] = (),
    cell: str | Sequence[str] = (),
    n: int = 20,
    other: Place | None = None,
    data: Any = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> WrongExamples:
    """Find the comparisons that a model misjudges, worst margin first; needs neither the model nor torch.

    Ties count as misjudged and come after all losses. Comparisons without a score and comparisons without a winner are
    not shown; notes count them. If a judge's run stores texts, its outputs without a verdict are in `unread`.

    Args:
        run: A run folder, a folder with one run in it, or a result.
        subset: Subsets or sections to look at; all if empty.
        cell: Cells to look at, such as `concise/detailed_markdown`, `1:3` (row and column of the matrix) or `hard`;
            all if empty.
        n: Number of examples; with `other`, of each model.
        other: Another run on the same items: only comparisons that one model judges right and the other one wrong.
        data: A file, a folder, a hub id or an object to read the texts from, if the run does not store them and its
            data have moved or were an object.
        variant: Which of the model's scores to use; its first if None.
        benchmark: The `file.py:Class` of a run made with one.
        protocol: Likewise the `file.py:Class` of the run's protocol.

    Raises:
        RmevalError: If the path is not a run folder, a subset or cell does not exist, or the texts are not available.
    """
    first = read_scored(only_folder(run), benchmark, protocol)
    second = None if other is None else read_scored(only_folder(other), benchmark, protocol, first)
    return wrong_examples_of(first, subset, cell, n, second, data, variant)


def wrong_examples_of(
    run: StoredRun,
    subset: str | Sequence[str] = (),
    cell: str | Sequence[str] = (),
    n: int = 20,
    other: StoredRun | None = None,
    data: Any = None,
    variant: str | None = None,
) -> WrongExamples:
    """Find the comparisons that a model misjudges in runs that are already read; see `wrong_examples`."""
    if type(n) is not int or n < 1:
        raise DataError(f"`n` must be a whole number and at least 1, not {n!r}")
    first = _judged(run, variant)
    notes = [first.run.note] if first.run.note else []
    if other is None:
        pool = _Pool.of(first.run, [first.evidence], [str(first.run.manifest["model"]["name"])])
    else:
        pool, more = _aligned(first, _judged(other, variant))
        notes += more
    kept = pool.within(_several(subset), _several(cell))
    examples, missing = pool.examples(kept, n, data)
    unread, untold = unread_outputs(first.run, kept.items, n, data) if other is None else ([], [])
    return WrongExamples(
        first.run.benchmark.card.id,
        pool.names[0],
        first.evidence.variant,
        examples,
        tuple(pool.tally(side, kept) for side in range(len(pool.evidence))),
        (*notes, *pool.left_out(kept), *untold, *missing),
        first.run.folder,
        scored=not first.evidence.beats,
        unread=tuple(unread),
    )


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


@dataclass(frozen=True)
class _Judged:
    """A run and the evidence by one of its scores."""

    run: StoredRun
    evidence: EvidenceTable


def _judged(run: StoredRun, variant: str | None) -> _Judged:
    return _Judged(run, run.evidence(run.variant(variant)))


@dataclass(frozen=True)
class _Pool:
    """The comparisons to choose from: of one model, or those of two models on their common items.

    Attributes:
        run: The first model's run.
        table: The items.
        places: int64[n], position of each item in the run.
        evidence: The models' evidence on these items.
        names: The models' names.
        margins: The models' margins.
    """

    run: StoredRun
    table: ItemTable
    places: IntArray
    evidence: Sequence[EvidenceTable]
    names: Sequence[str]
    margins: Sequence[Margins]

    @classmethod
    def of(
        cls, run: StoredRun, evidence: Sequence[EvidenceTable], names: Sequence[str], shared: Mask | None = None
    ) -> _Pool:
        table = evidence[0].table
        places = np.arange(len(table)) if shared is None else np.flatnonzero(shared)
        return cls(run, table, places, evidence, names, [margins(own) for own in evidence])

    def within(self, subsets: Sequence[str], cells: Sequence[str]) -> _Kept:
        """Return the items and tags of some subsets and cells; all if empty."""
        card, table = self.run.benchmark.card, self.table
        wanted = subsets_named(card, table.counts, subsets)
        chosen = np.array([not wanted or name in wanted for name in table.subsets], bool)
        there = dict.fromkeys(one.tag for shape in table.shapes for one in shape.comparisons)
        return _Kept(chosen[table.subset], cells_named(list(there), cells))

    def rows(self, kept: _Kept) -> Mask:
        """Return bool[m]: the comparisons in these subsets and cells."""
        own = self.margins[0]
        tags = np.array([tag in kept.tags for tag in own.tags], bool)
        found: Mask = kept.items[own.item] & tags[own.tag]
        return found

    def wrong(self, side: int, kept: _Kept) -> Mask:
        """Return bool[m]: the comparisons that a model misjudges and the other model, if there is one, does not."""
        found: Mask = self.rows(kept) & self.margins[side].wrong
        for other, own in enumerate(self.margins):
            if other != side:
                found &= own.margin > 0
        return found

    def worst(self, side: int, kept: _Kept, n: int) -> list[int]:
        """Return the misjudged comparisons with the worst margins; equal margins are sorted by id, tag and position."""
        own, ids = self.margins[side], self.table.ids
        rows = np.flatnonzero(self.wrong(side, kept))
        if len(rows) > n:
            margin = own.margin[rows]
            rows = rows[margin <= np.partition(margin, n - 1)[n - 1]]

        def order(row: int) -> tuple[float, str, str, int]:
            return own.margin[row], ids[own.item[row]], own.tags[own.tag[row]], own.number[row]

        return heapq.nsmallest(n, rows.tolist(), key=order)

    def tally(self, side: int, kept: _Kept) -> Tally:
        """Count the comparisons that a model misjudges."""
        wrong = self.wrong(side, kept)
        ties = int((self.margins[side].margin[wrong] == 0).sum())
        scored = self.rows(kept) & ~self._unscored
        right = self.names[1 - side] if len(self.names) > 1 else None
        return Tally(self.names[side], int(wrong.sum()) - ties, ties, int(scored.sum()), right)

    @property
    def _unscored(self) -> Mask:
        found: Mask = np.any([np.isnan(own.margin) for own in self.margins], axis=0)
        return found

    def left_out(self, kept: _Kept) -> Iterator[str]:
        """Yield notes on what cannot be judged."""
        if unscored := int((self.rows(kept) & self._unscored).sum()):
            whose = "a score of both models" if len(self.names) > 1 else "a score"
            yield f"{count_of(unscored, 'comparison')} without {whose}: not among the wrong examples"
        undecided, without = 0, 0
        for comparisons, positions in self.table.by_comparisons():
            items = int(kept.items[positions].sum())
            undecided += items * sum(one.gold is None and one.tag in kept.tags for one in comparisons)
            without += items * (not comparisons)
        if undecided:
            yield f"{count_of(undecided, 'comparison')} without a winner, because annotators call it a tie: not shown"
        if without:
            yield f"{count_of(without, 'item')} without comparisons, because other numbers are of them: not shown"

    def examples(self, kept: _Kept, n: int, data: Any) -> tuple[tuple[WrongExample, ...], list[str]]:
        """Return the worst of each model with their texts, and a note on missing texts; see `read_item_texts`."""
        picked = [(side, row) for side in range(len(self.evidence)) for row in self.worst(side, kept, n)]
        places = [int(self.places[self.margins[0].item[row]]) for _, row in picked]
        texts, notes = read_item_texts(self.run, set(places), data)
        errata = errata_of(self.run.benchmark.card)
        found, shown = [], []
        for (side, row), place in zip(picked, places, strict=True):
            if (item := texts.get(place)) is not None:
                known = errata.get(item.id)
                found.append(self._example(side, row, item, known.wrong if known else None))
                shown.append(Shown(item, *self._sides(side, row, item)))
        words = judge_texts(self.run, shown)
        return tuple(replace(one, judge=text) for one, text in zip(found, words, strict=True)), notes

    def _sides(self, side: int, row: int, item: Item) -> tuple[int, int]:
        """Return the better response of a comparison, and the one that the model prefers."""
        own = self.margins[side]
        comparison = item.comparisons[own.number[row]]
        return comparison.members[comparison.gold or 0], int(own.against[row])

    def _example(self, side: int, row: int, item: Item, erratum: str | None) -> WrongExample:
        own = self.margins[side]
        position, comparison = int(own.item[row]), item.comparisons[own.number[row]]
        chosen, rejected = (self._response(side, position, item, index) for index in self._sides(side, row, item))
        two = len(self.names) > 1
        return WrongExample(
            item.id,
            "tie" if own.margin[row] == 0 else "loss",
            float(own.margin[row]),
            self.names[side],
            item.subset,
            comparison.tag,
            item.cluster,
            _prompt(item),
            chosen,
            rejected,
            len(comparison.members),
            self.names[1 - side] if two else None,
            float(self.margins[1 - side].margin[row]) if two else None,
            erratum,
        )

    def _response(self, side: int, position: int, item: Item, index: int) -> JudgedResponse:
        response = item.responses[index]
        scores = [_score(own, position, index) for own in self.evidence]
        other = scores[1 - side] if len(scores) > 1 else None
        return JudgedResponse(response_text(response), scores[side], response.gold, response.source, other)


@dataclass(frozen=True)
class _Kept:
    """The parts to look at: bool[n], which items; and which tags."""

    items: Mask
    tags: frozenset[str]


def _score(evidence: EvidenceTable, position: int, index: int) -> float | None:
    score = float(evidence.scores[evidence.table.offsets[position] + index])
    return None if math.isnan(score) else score


def _aligned(first: _Judged, second: _Judged) -> tuple[_Pool, list[str]]:
    """Align two models on their common items."""
    runs = [first.run, second.run]
    ids = [run.benchmark.card.id for run in runs]
    if ids[0] != ids[1]:
        raise RunError(f"{runs[1].folder} is a run of {ids[1]}, not of {ids[0]}: give two runs of one benchmark")
    evidence, shared, notes = shared_evidence(runs, [first.evidence, second.evidence], OFFICIAL)
    notes += [f"{run.folder}: {run.note}" for run in runs[1:] if run.note]
    names = run_names([(str(run.manifest["model"]["name"]), run.folder) for run in runs])
    return _Pool.of(first.run, evidence, names, shared), notes


def _prompt(item: Item) -> str:
    names = [str(tool.get("name") or dict(tool.get("function") or {}).get("name")) for tool in item.tools]
    lines = [f"tools: {', '.join(names)}"] if names else []
    return "\n".join([*lines, *(f"{message.role}: {message_text(message)}" for message in item.prompt)])


def response_text(response: Response) -> str:
    """Return the text of a response, and its tool calls and other fields as JSON."""
    return message_text(response.message or Message("assistant", response.text))


def message_text(message: Message) -> str:
    """Return the content of a message, and its tool calls and other fields as JSON."""
    extras = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in message.extras.items()]
    return "\n".join([*([message.content] if message.content or not extras else []), *extras])
