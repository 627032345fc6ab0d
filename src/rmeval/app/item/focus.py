"""Which comparison and which two responses of an item a page is about, and the addresses of its others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rmeval.app.filters import Filter, Params, first_of
from rmeval.app.index import IndexedItem, Key, ModelScores
from rmeval.app.item.view import Cell, Grid, Tab
from rmeval.errors import DataError
from rmeval.messages import quoted, visible
from rmeval.types import Comparison, Item

__all__ = ["Focus", "outcome_of", "response_label", "signed"]

_MOST_DIGITS = 9
_MOST_TABS = 60
_MOST_CELLS = 150


@dataclass(frozen=True, slots=True)
class Focus:
    """The comparison of a page.

    Attributes:
        own: The item in the index.
        item: The item.
        model: The model whose page it is.
        chosen: The filter.
        number: Position of the comparison among those of the item; None if it has none.
        sides: Its winner and one other member; fewer if the item has fewer.
        kept: Fields that addresses of the same item keep: the place in the list, and how texts are shown.
    """

    own: IndexedItem
    item: Item
    model: ModelScores
    chosen: Filter
    number: int | None
    sides: tuple[int, ...]
    kept: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, own: IndexedItem, item: Item, model: ModelScores, chosen: Filter, params: Params) -> Focus:
        """Read the comparison from an address; by default the first one, with the response that the model prefers.

        Raises:
            DataError: If the item does not have it.
        """
        number = _number(item, first_of(params, "number"))
        kept = tuple((name, given) for name in ("view", "at") if (given := first_of(params, name)))
        sides = tuple(_sides(item, number, model, first_of(params, "against")))
        return cls(own, item, model, chosen, number, sides, kept)

    @property
    def comparison(self) -> Comparison | None:
        """The comparison; None if the item has none."""
        return None if self.number is None else self.item.comparisons[self.number]

    @property
    def margin(self) -> float | None:
        """The model's margin."""
        return None if self.number is None else self.model.margins.get(self.number)

    def address(self, number: int | None = None, run: str = "", **more: str) -> str:
        """Return the address of this item with another comparison, model or view."""
        chosen = self.chosen.changed(run=run) if run else self.chosen
        kept = dict(self.kept)
        at = kept.pop("at", "")
        place = Key.of(at) if at and not run else None
        own = self.number if number is None else number
        return chosen.item(self.own.key, own, place, **kept | more)

    @property
    def permalink(self) -> str:
        """The address of this comparison without filter and place in a list."""
        own = Filter(type(self.chosen.query)(self.model.run.key))
        against = str(self.sides[1] + 1) if len(self.members) > 2 and len(self.sides) > 1 else ""
        return own.item(self.own.key, self.number, against=against)

    @property
    def members(self) -> tuple[int, ...]:
        """The responses in the comparison; all responses of an item without one."""
        one = self.comparison
        return tuple(range(len(self.item.responses))) if one is None else one.members

    def grid(self) -> Grid | None:
        """Return the item's comparisons as a matrix; None if they are not several pairs."""
        pairs: dict[tuple[int, int], int] = {}
        for number, one in enumerate(self.item.comparisons):
            if len(one.members) != 2 or one.gold is None:
                return None
            pairs.setdefault((one.members[one.gold], one.members[1 - one.gold]), number)
        winners, losers = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
        if len(pairs) < 2 or len(winners) * len(losers) > _MOST_CELLS:
            return None
        rows = [
            (response_label(self.item, one), tuple(self._cell(pairs.get((one, other))) for other in losers))
            for one in winners
        ]
        return Grid(tuple(response_label(self.item, other) for other in losers), tuple(rows))

    def _cell(self, number: int | None) -> Cell | None:
        if number is None:
            return None
        margin = self.model.margins.get(number)
        return Cell(self.address(number), signed(margin), outcome_of(margin), number == self.number)

    def comparisons(self) -> Iterator[Tab]:
        """Yield the item's comparisons, if there are several."""
        several = self.item.comparisons if len(self.item.comparisons) > 1 else ()
        for number, one in enumerate(several[:_MOST_TABS]):
            label = visible(one.tag) or f"comparison {number + 1}"
            yield Tab(self.address(number), label, number == self.number)

    def others(self) -> Iterator[Tab]:
        """Yield the responses that the winner can be shown beside, if there are several."""
        if len(self.members) < 3:
            return
        for member in [one for one in self.members if one != self.sides[0]][:_MOST_TABS]:
            label = response_label(self.item, member)
            yield Tab(self.address(against=str(member + 1)), label, member == self.sides[1])


def _number(item: Item, given: str) -> int | None:
    if not given:
        return 0 if item.comparisons else None
    digits = given.isascii() and given.isdigit() and len(given) < _MOST_DIGITS
    if digits and int(given) < len(item.comparisons):
        return int(given)
    raise DataError(f"the item has no comparison {quoted(given, 60)}: it has {len(item.comparisons)}, from 0")


def _sides(item: Item, number: int | None, model: ModelScores, against: str) -> Iterator[int]:
    one = None if number is None else item.comparisons[number]
    members: Sequence[int] = range(len(item.responses)) if one is None else one.members
    if not members:
        return
    winner = members[0] if one is None else members[one.gold or 0]
    others = [member for member in members if member != winner]

    def score(member: int) -> float:
        found = float(model.scores[member])
        return -math.inf if math.isnan(found) else found

    wanted = [member for member in others if str(member + 1) == against]
    yield winner
    yield from (wanted or sorted(others, key=score, reverse=True))[:1]


def response_label(item: Item, index: int) -> str:
    """Return the name of a response: its number, and its style or source."""
    one = item.responses[index]
    kind = one.style.replace("_", " ") if one.style else one.source or ""
    return visible(f"{index + 1} {kind}".strip())[:60]


def signed(margin: float | None) -> str:
    """Format a margin."""
    return "-" if margin is None else f"{margin:+.4g}"


def outcome_of(margin: float | None) -> str:
    """What a margin means."""
    if margin is None:
        return "unscored"
    return "right" if margin > 0 else "wrong" if margin < 0 else "tie"
