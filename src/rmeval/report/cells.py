"""Cells of tables: numbers with intervals and units, counts and texts; and their conversion to text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rmeval.messages import percent, shortened
from rmeval.redaction import redacted

__all__ = [
    "BRACKETS",
    "COUNT",
    "COUNTS",
    "COUNT_OR_DASH",
    "DECIMALS",
    "DIFFERENCE",
    "FIGURES",
    "GAP",
    "LOG_ODDS",
    "PERCENT",
    "POINTS",
    "PRICE",
    "P_VALUE",
    "THOUSANDS",
    "Cell",
    "Joined",
    "Number",
    "Passage",
    "Unit",
    "clean",
    "interval_text",
    "percent",
    "value_text",
]


@dataclass(frozen=True, slots=True)
class Unit:
    """Format of a number and of the ends of its interval.

    Attributes:
        value: Formats the number.
        end: Formats an end of its interval.
        between: Text between the ends; if empty, a dash, or `to` before a negative number.
        brackets: Whether the interval is in brackets.
    """

    value: Callable[[float], str]
    end: Callable[[float], str]
    between: str = ""
    brackets: bool = False


def _signed(share: float) -> str:
    """Format a share as points with its sign."""
    return "-" if math.isnan(share) else f"{round(100 * share, 1) + 0.0:+.1f}"


def _log_odds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"


def _p_value(p: float) -> str:
    if math.isnan(p):
        return "-"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.001 else "< .001"


def _points(share: float) -> str:
    return "-" if math.isnan(share) or not share else f"{100 * share:.1f}"


def _count(number: float) -> str:
    return f"{number:.0f}"


def _count_or_dash(number: float) -> str:
    return f"{number:.0f}" if number else "-"


def _thousands(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:,.0f}" if number < 10_000_000 else "> 10 million"


def _price(amount: float) -> str:
    if math.isnan(amount):
        return "-"
    return f"{amount:.2g}" if 0 < amount < 0.01 else f"{amount:,.2f}"


def _decimals(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _figures(value: float) -> str:
    return "-" if math.isinf(value) or math.isnan(value) else f"{value:.3g}"


PERCENT = Unit(percent, percent)
DIFFERENCE = Unit(_signed, percent, " to ")
"""A difference of shares, in points."""
GAP = Unit(_signed, _signed, " to ")
LOG_ODDS = Unit(_log_odds, _log_odds, " to ")
POINTS = Unit(_points, _points)
P_VALUE = Unit(_p_value, _p_value)
COUNT = Unit(_count, _count)
COUNT_OR_DASH = Unit(_count_or_dash, _count_or_dash)
THOUSANDS = Unit(_thousands, _thousands)
PRICE = Unit(_price, _price)
COUNTS = (COUNT, COUNT_OR_DASH, THOUSANDS)
DECIMALS = Unit(_decimals, _decimals)
FIGURES = Unit(_figures, _figures)
BRACKETS = Unit(_figures, _figures, ", ", brackets=True)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a cell.

    Attributes:
        value: The number; shares are between 0 and 1, regardless of their unit. NaN if there is no number.
        interval: The interval of the number.
        unit: The format.
        letters: Letters after the number: two numbers of a row that do not differ significantly share a letter. None if
            the row has no letters.
        strong: Whether to emphasise the number.
        side: -1 or 1 for a number of one of two coloured kinds.
    """

    value: float
    interval: tuple[float, float] | None = None
    unit: Unit = PERCENT
    letters: str | None = None
    strong: bool = False
    side: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """Several numbers in one cell, such as Easy/Normal/Hard.

    Attributes:
        names: Name of each number.
        numbers: The numbers.
        mark: Text between the numbers.
        once: Whether to write the number once if all are equal.
    """

    names: tuple[str, ...]
    numbers: tuple[Number, ...]
    mark: str = "/"
    once: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of any length, such as a response.

    Attributes:
        text: The whole text, for programs.
        parts: What people see: its parts in order, each with whether its words are marked.
        caption: What stands above it.
        side: -1 and 1 for two passages side by side, with marks of their own; 0 for one alone.
    """

    text: str
    parts: tuple[tuple[str, bool], ...]
    caption: str = ""
    side: int = 0

    @property
    def lines(self) -> list[list[tuple[str, bool]]]:
        """The parts, line by line."""
        found: list[list[tuple[str, bool]]] = [[]]
        for text, marked in self.parts:
            first, *rest = text.replace("\r\n", "\n").split("\n")
            found[-1] += [(first, marked)] if first else []
            found += [[(line, marked)] if line else [] for line in rest]
        return found


Cell = Number | Joined | Passage | str | None
"""A cell of a table; None if it is empty."""


def clean(text: str) -> str:
    """Return a text on one line, without secrets and with escaped control characters."""
    return _clean_often(text) if len(text) <= _SHORT else shortened(redacted(text), _LONGEST)


@lru_cache(maxsize=4096)
def _clean_often(text: str) -> str:
    """Clean a short text, which a report has in each row, in each format."""
    return shortened(redacted(text), _LONGEST)


_LONGEST, _SHORT = 5_000, 200
"""Maximum number of characters of a text, as no path is longer; and of one that is kept for the next time."""


def value_text(cell: Cell) -> str:
    """Format a cell as text, without interval and letters."""
    if isinstance(cell, Number):
        return cell.unit.value(cell.value)
    if isinstance(cell, Joined):
        texts = [value_text(number) for number in cell.numbers]
        return texts[0] if cell.once and len(set(texts)) == 1 else cell.mark.join(texts)
    return cell.text if isinstance(cell, Passage) else cell or ""


def interval_text(cell: Cell) -> str:
    """Format the interval of a cell as text; empty if there is none."""
    if not isinstance(cell, Number) or cell.interval is None:
        return ""
    low, high = cell.interval
    unit = cell.unit
    between = unit.between or ("-" if low >= 0 else " to ")
    text = f"{unit.end(low)}{between}{unit.end(high)}"
    return f"[{text}]" if unit.brackets else text
