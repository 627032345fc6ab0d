"""Averages that a board states, against those of the numbers that they are averages of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rmeval.messages import alike, shortened
from rmeval.predict.score_tables import ScoreTable
from rmeval.published.contradictions import Average, Contradiction, contradictions, mean_of, named

__all__ = ["average_notes"]

_MOST_LISTED = 4

_DOMAINS, _LEVELS = ("Chat", "Math", "Code", "Safety"), ("Easy", "Normal", "Hard")
# The columns of the published boards of RM-Bench and RewardBench.
_AVERAGES = (
    Average("Domain Avg", _DOMAINS),
    Average("Difficulty Avg", _LEVELS),
    # Both are means of the same cells of domains and levels.
    Average("Overall", _DOMAINS),
    Average("Overall", _LEVELS),
    Average("Score", ("Chat", "Chat Hard", "Safety", "Reasoning"), "Prior Sets (0.5 weight)", fewer=True),
)


def average_notes(table: ScoreTable) -> Iterator[str]:
    """Yield notes on rows that state another average than that of their numbers, as far as rounding allows."""
    names = {name for own in _AVERAGES for name in (own.column, *own.parts, own.half) if name}
    columns = {name: k for k, own in enumerate(table.columns) for name in names if alike(own, name)}
    rows = [
        {name: float(values[k]) for name, k in columns.items() if not math.isnan(values[k])} for values in table.values
    ]
    known = [own for own in _AVERAGES if set(own.parts) <= columns.keys()]
    for column in dict.fromkeys(own.column for own in known):
        averages = [own for own in known if own.column == column]
        # Two definitions of one number can be checked without it.
        if column in columns or len(averages) > 1:
            yield from _notes(table, averages, rows)


def _notes(table: ScoreTable, averages: Sequence[Average], rows: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Yield the notes on an average, which may have several definitions."""
    column, half = averages[0].column, averages[0].half
    numbers = [row[column] for row in rows if column in row] or [own for row in rows for own in row.values()]
    digit = 10.0 ** -max(map(_decimals, numbers), default=0)
    checked = [k for k, row in enumerate(rows) if any(mean_of(own, row) is not None for own in averages)]
    found = [(k, wrong) for k in checked for wrong in contradictions(averages, rows[k], digit)]
    defined = " and of ".join(named(own.parts) for own in averages)
    included = f", with half of {half} where a row has it" if half else ""
    if found:
        some = [f"{shortened(table.models[k], 60)} ({_told(wrong)})" for k, wrong in found[:_MOST_LISTED]]
        more = f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        yield (
            f"{table.source}: {len(found)} of {len(checked)} rows contradict themselves, because {column} must be the "
            f"mean of {defined}{included}: {', '.join(some)}{more}"
        )
    with_half = sum(half in rows[k] for k in checked) - sum(half in rows[k] for k, _ in found)
    if with_half:
        yield (
            f"{table.source}: {column} mixes two formulas: {with_half} of {len(checked)} rows include {half}, and the "
            f"others are the mean of {defined}"
        )


def _told(wrong: Contradiction) -> str:
    """Return the numbers of a contradiction, such as `70.1, not 60`."""
    means = [f"{mean:.4g}" for mean in dict.fromkeys(wrong.means.values())]
    return " and ".join(means) if wrong.stated is None else f"{wrong.stated:g}, not {' or '.join(means)}"


def _decimals(value: float) -> int:
    return 0 if math.isclose(value, round(value)) else len(f"{value:.6f}".rstrip("0").partition(".")[2])
