"""Cells of tables: numbers with their intervals and units, counts, texts; and how each is written as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rmeval.messages import shortened
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
    "NEEDED",
    "PERCENT",
    "POINTS",
    "P_VALUE",
    "Cell",
    "Joined",
    "Number",
    "Unit",
    "clean",
    "interval_text",
    "percent",
    "value_text",
]


@dataclass(frozen=True, slots=True)
class Unit:
    """How a number and the ends of its interval are written.

    Attributes:
        value: Writes the number.
        end: Writes an end of its interval.
        between: What stands between the ends; a dash, or `to` before a negative number, if empty.
        brackets: Whether the interval stands in brackets.
    """

    value: Callable[[float], str]
    end: Callable[[float], str]
    between: str = ""
    brackets: bool = False


def percent(value: float) -> str:
    """A share in percent."""
    # Adding 0 makes -0.0 positive.
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0.0:.1f}"


def _signed(share: float) -> str:
    """A share as points with its sign."""
    return "-" if math.isnan(share) else f"{round(100 * share, 1) + 0.0:+.1f}"


def _log_odds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"


def _p_value(p: float) -> str:
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}" if p >= 0.001 else "< .001"


def _points(share: float) -> str:
    return "-" if math.isnan(share) or not share else f"{100 * share:.1f}"


def _count(number: float) -> str:
    return f"{number:.0f}"


def _count_or_dash(number: float) -> str:
    return f"{number:.0f}" if number else "-"


def _needed(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:,.0f}" if number < 10_000_000 else "> 10 million"


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
NEEDED = Unit(_needed, _needed)
COUNTS = (COUNT, COUNT_OR_DASH, NEEDED)
DECIMALS = Unit("{:.3f}".format, "{:.3f}".format)
FIGURES = Unit(_figures, _figures)
BRACKETS = Unit(_figures, _figures, ", ", brackets=True)


@dataclass(frozen=True, slots=True)
class Number:
    """A number.

    Attributes:
        value: The number itself; shares are between 0 and 1, whatever their unit shows. NaN where there is none.
        interval: Its interval.
        unit: How it is written.
        letters: Letters behind it, of which two numbers of a row share one where they do not differ; None if the row
            has no letters.
        strong: Whether it stands out.
        side: -1 or 1 where it belongs to one of two kinds that are coloured.
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
        names: What each is.
        numbers: The numbers.
        mark: What stands between them.
        once: Whether numbers that are all equal are written once.
    """

    names: tuple[str, ...]
    numbers: tuple[Number, ...]
    mark: str = "/"
    once: bool = False


Cell = Number | Joined | str | None
"""A cell of a table; None where it is empty."""


def clean(text: str) -> str:
    """Text on one line without secrets, in which control characters are escapes."""
    return shortened(redacted(text), _LONGEST)


_LONGEST = 5_000
"""Characters of a text; no path is longer."""


def value_text(cell: Cell) -> str:
    """A cell as text, without interval and letters."""
    if isinstance(cell, Number):
        return cell.unit.value(cell.value)
    if isinstance(cell, Joined):
        texts = [value_text(number) for number in cell.numbers]
        return texts[0] if cell.once and len(set(texts)) == 1 else cell.mark.join(texts)
    return cell or ""


def interval_text(cell: Cell) -> str:
    """The interval of a cell as text; empty where there is none."""
    if not isinstance(cell, Number) or cell.interval is None:
        return ""
    low, high = cell.interval
    unit = cell.unit
    between = unit.between or ("-" if low >= 0 else " to ")
    text = f"{unit.end(low)}{between}{unit.end(high)}"
    return f"[{text}]" if unit.brackets else text
