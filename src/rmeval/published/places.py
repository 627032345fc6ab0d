"""The place that a run would have on the published boards of its benchmark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rmeval.benchmarks import Card, find_benchmark
from rmeval.errors import RmevalError
from rmeval.messages import count_of, percent, shortened
from rmeval.published.board import PublishedBoard, PublishedRow
from rmeval.published.reading import published_boards
from rmeval.results.described import selection_text
from rmeval.results.pins import pinned, pins_of_run
from rmeval.results.result import Result
from rmeval.store.run import read_run
from rmeval.types import Record

__all__ = ["Place", "incomparable", "other_data", "own_row", "place_among", "place_notes", "places_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """The ranks that a number would have on a board.

    Attributes:
        first: The best rank that the interval allows, from 1.
        last: The worst one.
        of: Number of ranks: the rows of the board that have the number, and the run.
        marked: The rows that contradict themselves and whose numbers are inside the interval, the best first.
        board: The board.
        own: The row of the same model, which is not one of those that the run is ranked among.
    """

    first: int
    last: int
    of: int
    marked: tuple[PublishedRow, ...]
    board: PublishedBoard
    own: PublishedRow | None = None

    @property
    def sentence(self) -> str:
        """The place in words, such as `would rank 7th-11th of 52 on RM-Bench's leaderboard (2025-07-23)`."""
        text = f"would rank {self.ranks} of {self.of} on {self.board.described}"
        if self.own is None or (value := self.own.values.get(self.board.headline)) is None:
            return text
        return f"{text}, without the row of {shortened(self.own.model, 60)}, which has {percent(value)}"

    @property
    def ranks(self) -> str:
        """The ranks, such as `7th-11th`, or `7th` if there is one."""
        return ordinal(self.first) if self.first == self.last else f"{ordinal(self.first)}-{ordinal(self.last)}"


def place_among(record: Record, board: PublishedBoard, model: str = "") -> Place:
    """Return the place of a run's number among the rows of a board.

    A rank is 1 plus the number of rows above, so that equal numbers share the better rank. The best and the worst rank
    are those of the numbers in the interval from its lower bound up to, but without, its upper bound: a row that equals
    the upper bound is above the run, a row that equals the lower bound is not. Without an interval, the number itself
    has the only rank.

    Args:
        record: The run's number; its metric and scope are those of the board's headline.
        board: The board.
        model: The run's model, whose own row on the board is left out.
    """
    own = own_row(model, board)
    ranked = [row for row in board.ranked if row is not own]
    values = [row.values[board.headline] for row in ranked]
    low, high = record.ci if record.ci is not None and record.ci[0] < record.ci[1] else (record.value, math.inf)
    last = 1 + sum(value > low for value in values)
    first = last if math.isinf(high) else 1 + sum(value >= high for value in values)
    marked = tuple(row for row, value in zip(ranked, values, strict=True) if row.contradicts and low < value < high)
    return Place(first, last, 1 + len(ranked), marked if first < last else (), board, own)


def own_row(model: str, board: PublishedBoard) -> PublishedRow | None:
    """Return the row of a model on a board, whose name may lack the owner and differ in case; None if there is none."""
    # Runs of models of the hub are named owner__name.
    model = model if "/" in model else model.replace("__", "/", 1)
    if "/" in model:
        full = next((row for row in board.rows if row.model.casefold() == model.casefold()), None)
        if full is not None:
            return full
    last = model.rpartition("/")[2].casefold()
    found = [row for row in board.rows if last and row.model.rpartition("/")[2].casefold() == last]
    # Two models of different owners may have the same name.
    return found[0] if len(found) == 1 and ("/" not in model or "/" not in found[0].model) else None


def places_of(result: Result) -> tuple[Place, ...]:
    """Return the place of a run on each board of its benchmark, the main board first; empty if it is not comparable."""
    boards = published_boards(str(result.manifest["benchmark"]["id"]))
    if not boards or incomparable(result):
        return ()
    model = str(result.manifest["model"]["name"])
    return tuple(
        place_among(record, board, model) for board in boards if (record := _record(result, board)) is not None
    )


def place_notes(result: Result) -> Iterator[str]:
    """Yield the sentence on the place of a run on the main board of its benchmark, if it is comparable."""
    for place in places_of(result)[:1]:
        yield place.sentence


def incomparable(result: Result) -> str:
    """Return why a run is not comparable with published results, such as `is unfinished`; empty if it is.

    Published numbers are of all items, and ties and failures count by the benchmark's official rule.
    """
    benchmark, card = result.manifest["benchmark"], _card(result)
    if card is None:
        return f"is of the benchmark {shortened(benchmark['spec'], 60)}, and not of {benchmark['id']} itself"
    if result.manifest["status"] != "complete":
        return "is unfinished"
    if chosen := selection_text(result.manifest["selection"]):
        return f"is of {chosen}"
    whole = sum(card.counts.values())
    # A run that lacks a domain has no number of all its items.
    if all(record.n_items != whole for record in result.records):
        return f"does not have the {count_of(whole, 'item')} of {card.id}"
    if any(record.rule != card.rule.name for record in result.records):
        return f"counts ties and failures by {result.records[0].rule}, and not by {card.rule.name}"
    return other_data(result) or ("" if result.publishable else "lacks too many verdicts")


def other_data(result: Result) -> str:
    """Return why a run's data are not those of published numbers; empty if they are, or nothing is known against it."""
    benchmark = result.manifest["benchmark"]
    if benchmark["data"] is None or not pinned(benchmark["id"]):
        return ""
    same = _are_pinned(_Items(benchmark["id"], str(result.manifest["identity"].get("contents", "")), result.path))
    if same is None:
        return "has items that cannot be read"
    return "" if same else f"is on other data ({benchmark['data']})"


@dataclass(frozen=True, slots=True)
class _Items:
    """The items of a run; runs of several models on the same data have the same digest."""

    benchmark: str
    digest: str
    run: Path = field(compare=False)


@cache
def _are_pinned(items: _Items) -> bool | None:
    """Whether items have the digests of the published data; None if they cannot be read."""
    known = pinned(items.benchmark)
    try:
        own = pins_of_run(read_run(items.run).items)
    except RmevalError:
        return None
    return all(pin.contents in [one.contents for one in known.get(subset, ())] for subset, pin in own.items())


def _card(result: Result) -> Card | None:
    """Return the card of a run's benchmark if that is one that comes with rmeval."""
    benchmark = result.manifest["benchmark"]
    return find_benchmark(benchmark["id"]).made.card if benchmark["spec"] == benchmark["id"] else None


def _record(result: Result, board: PublishedBoard) -> Record | None:
    """Return the number that a board ranks by: of the score that published numbers are of, else of the first score."""
    card = _card(result)
    found = [own for own in result.records if (own.metric, own.scope) == board.headline and not math.isnan(own.value)]
    named = [own for own in found if card is not None and own.variant == card.variant]
    return next(iter([*named, *found]), None)


def ordinal(number: int) -> str:
    """Return `1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
