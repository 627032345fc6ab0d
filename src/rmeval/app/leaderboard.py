"""The leaderboard page: a board, sorted and filtered by its address."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rmeval.app.explorer import Choice, Column
from rmeval.app.filters import Params, first_of
from rmeval.app.pages import address
from rmeval.errors import DataError
from rmeval.leaderboard.board import Board, BoardNumber, BoardRow
from rmeval.messages import quoted
from rmeval.metrics.composition import GAP, Measure
from rmeval.metrics.targets import merit
from rmeval.report.cells import GAP as SIGNED
from rmeval.report.cells import PERCENT, Number, clean, interval_text, value_text
from rmeval.report.run import measure_name

__all__ = ["LeaderboardView", "ShownModel", "ShownNumber", "leaderboard_view"]

_SIZES: tuple[tuple[str, float, float], ...] = (
    ("up to 3B", 0, 3),
    ("3B to 10B", 3, 10),
    ("10B to 40B", 10, 40),
    ("over 40B", 40, math.inf),
)
_UNKNOWN = "not known"
_SHOWN = ("runs", "published", "baselines")
_FACTS: Mapping[str, tuple[str, Callable[[BoardRow], str]]] = {
    "kind": ("kind", lambda row: row.kind),
    "size": ("size", lambda row: _size(row)),
    "base": ("base model", lambda row: row.descriptor.base_model if row.descriptor else ""),
    "licence": ("licence", lambda row: row.descriptor.licence if row.descriptor else ""),
    "data": ("training data", lambda row: row.descriptor.training_data if row.descriptor else ""),
}
"""Facts about models by the names of their fields in addresses: their headings, and how a row states them."""


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """A number with its interval as text."""

    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A row of the board.

    Attributes:
        rank: The range of its ranks; empty without one.
        model: The model's name.
        address: The address of its page, or of the source of a published result; empty if there is neither.
        is_published: Whether the numbers are published ones.
        is_baseline: Whether it is a null baseline.
        contradicts: Whether published numbers contradict each other or their source.
        numbers: Its numbers in the order of the columns.
        facts: Its facts in the order of the columns.
        notes: Notes, one sentence each.
    """

    rank: str
    model: str
    address: str
    is_published: bool
    is_baseline: bool
    contradicts: bool
    numbers: Sequence[ShownNumber]
    facts: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class LeaderboardView:
    """The page.

    Attributes:
        boards: The boards.
        board: The board that is shown; None if there is none.
        shown: Which kinds of rows are shown.
        filters: For each fact that rows differ in, its name in addresses, its heading and its values.
        search: What names of models must contain.
        kept: Fields of the address that the form keeps.
        columns: The columns.
        rows: The rows that are left.
        total: Number of rows of the board.
        is_ranked: Whether any row has a rank; the first column is that of ranks.
        all: The address of the board without a filter; empty if there is no filter.
    """

    boards: Sequence[Choice] = ()
    board: Board | None = None
    shown: Sequence[Choice] = ()
    filters: Sequence[tuple[str, str, Sequence[Choice]]] = ()
    search: str = ""
    kept: Sequence[tuple[str, str]] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[ShownModel] = ()
    total: int = 0
    is_ranked: bool = False
    all: str = ""


def leaderboard_view(boards: Sequence[Board], pages: Mapping[Path, str], params: Params) -> LeaderboardView:
    """Return what the page of an address shows.

    Args:
        boards: The boards.
        pages: The addresses of models' pages by run folder.
        params: The fields of the address.

    Raises:
        DataError: If the address names a board or column that does not exist.
    """
    if not boards:
        return LeaderboardView()
    board = _named(boards, first_of(params, "benchmark"))
    facts = [name for name in _FACTS if any(_fact(row, name) for row in board.rows)]
    rows = [row for row in board.rows if _is_kept(row, params)]
    order = _Order.of(board, facts, params)
    fields = {name: first_of(params, name) for name in ("benchmark", "show", *_FACTS, "q")}
    narrow = {name: value for name, value in fields.items() if value and name != "benchmark"}
    return LeaderboardView(
        [Choice(one.title, clean(one.title), one is board) for one in boards],
        board,
        [Choice("", "all", not fields["show"]), *(Choice(one, one, one == fields["show"]) for one in _SHOWN)],
        [(name, _FACTS[name][0], list(_choices(board, name, fields[name]))) for name in facts],
        fields["q"],
        [(name, value) for name in ("sort", "order") if (value := first_of(params, name))],
        list(_columns(board, facts, order, fields)),
        [_shown(row, board, facts, pages) for row in order.sorted(rows)],
        len(board.rows),
        _is_ranked(board),
        address("/", benchmark=fields["benchmark"]) if narrow else "",
    )


def _named(boards: Sequence[Board], title: str) -> Board:
    found = next((one for one in boards if one.title == title), None) if title else boards[0]
    # A link from another page knows only the benchmark.
    found = found or next((one for one in boards if one.benchmark == title), None)
    if found is None:
        raise DataError(f"there is no board {quoted(title)}: choose from {', '.join(one.title for one in boards)}")
    return found


def _fact(row: BoardRow, name: str) -> str:
    return _FACTS[name][1](row)


def _size(row: BoardRow) -> str:
    size = row.descriptor.parameters if row.descriptor else None
    return "" if size is None else f"{size:g}B"


def _size_class(row: BoardRow) -> str:
    size = row.descriptor.parameters if row.descriptor else None
    return "" if size is None else next(name for name, low, high in _SIZES if low < size <= high or size == low == 0)


def _class(row: BoardRow, name: str) -> str:
    """What the filter of a fact compares: the fact, or its class."""
    return (_size_class(row) if name == "size" else _fact(row, name)) or _UNKNOWN


def _is_kept(row: BoardRow, params: Params) -> bool:
    group = "published" if row.published is not None and row.run is None else "baselines" if row.is_baseline else "runs"
    if (shown := first_of(params, "show")) and shown != group:
        return False
    if (text := first_of(params, "q").strip().casefold()) and text not in row.model.casefold():
        return False
    return all(not (wanted := first_of(params, name)) or _class(row, name) == wanted for name in _FACTS)


def _choices(board: Board, name: str, chosen: str) -> Iterator[Choice]:
    yield Choice("", "all", not chosen)
    there = {_class(row, name) for row in board.rows}
    known = [one[0] for one in _SIZES] if name == "size" else sorted(there - {_UNKNOWN}, key=str.casefold)
    for value in [*known, _UNKNOWN]:
        if value in there:
            yield Choice(value, clean(value), value == chosen)
    if chosen and chosen not in there:
        yield Choice(chosen, clean(chosen), True)


@dataclass(frozen=True, slots=True)
class _Order:
    """The order of the rows.

    Attributes:
        name: The column in addresses.
        measure: The number, if it is one.
        backward: Whether the best, or the first by name, comes last.
    """

    name: str
    measure: Measure | None
    backward: bool

    @classmethod
    def of(cls, board: Board, facts: Sequence[str], params: Params) -> _Order:
        given = first_of(params, "sort")
        measures = {_text(measure): measure for measure in board.measures}
        name = given or ("model" if board.headline is None else _text(board.headline))
        if name not in measures and name not in ("model", *facts):
            raise DataError(
                f"there is no column {quoted(given)}: choose from {', '.join(['model', *measures, *facts])}"
            )
        return cls(name, measures.get(name), first_of(params, "order") == "reverse")

    def sorted(self, rows: Sequence[BoardRow]) -> list[BoardRow]:
        """The rows in this order; those without a value are last in both directions."""
        known = [row for row in rows if self._key(row) is not None]
        found = sorted(known, key=lambda row: (self._key(row), row.model), reverse=self.backward)
        return [*found, *(row for row in rows if self._key(row) is None)]

    def _key(self, row: BoardRow) -> tuple[float, str] | None:
        if self.measure is not None:
            number = row.values.get(self.measure)
            return None if number is None or math.isnan(number.value) else (-merit(self.measure[0], number.value), "")
        if self.name == "size":
            size = row.descriptor.parameters if row.descriptor else None
            return None if size is None else (size, "")
        text = row.model if self.name == "model" else _fact(row, self.name)
        return (0.0, text.casefold()) if text else None


def _is_ranked(board: Board) -> bool:
    return any(row.rank is not None for row in board.rows)


def _text(measure: Measure) -> str:
    """A number's name in addresses."""
    return " ".join(measure)


def _columns(board: Board, facts: Sequence[str], order: _Order, fields: Mapping[str, str]) -> Iterator[Column]:
    def column(name: str, label: str, is_number: bool) -> Column:
        own = name == order.name
        link = address("/", **fields, sort=name, order="reverse" if own and not order.backward else "")
        # Of a number, the best comes first, which is the largest of most numbers.
        down = order.backward != (order.measure is not None and merit(order.measure[0], 1.0) > 0)
        return Column(
            label, "number" if is_number else "text", link, ("descending" if down else "ascending") if own else ""
        )

    if _is_ranked(board):
        yield Column("rank", "number")
    yield column("model", "model", False)
    for measure in board.measures:
        yield column(_text(measure), clean(measure_name(measure)), True)
    for name in facts:
        yield column(name, _FACTS[name][0], name == "size")


def _shown(row: BoardRow, board: Board, facts: Sequence[str], pages: Mapping[Path, str]) -> ShownModel:
    is_published = row.published is not None and row.run is None
    ranks = () if row.rank is None else row.rank
    return ShownModel(
        "-".join(map(str, dict.fromkeys(ranks))),
        clean(row.model),
        pages.get(row.run, "") if row.run is not None else _web(row.published.url if row.published else ""),
        is_published,
        row.is_baseline,
        is_published and row.published is not None and row.published.contradicts,
        [_number(measure, row.values.get(measure)) for measure in board.measures],
        [clean(_fact(row, name)) for name in facts],
        [clean(note) for note in row.notes],
    )


def _number(measure: Measure, number: BoardNumber | None) -> ShownNumber:
    if number is None:
        return ShownNumber("", "")
    cell = Number(number.value, number.ci, SIGNED if measure[0] == GAP else PERCENT)
    return ShownNumber(value_text(cell), interval_text(cell))


def _web(url: str) -> str:
    """An address of a published source if it leads to the web; empty for any other."""
    return url if urlsplit(url).scheme in ("http", "https") else ""
