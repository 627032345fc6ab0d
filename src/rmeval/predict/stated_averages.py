"""Averages that a board states, against those of the numbers that they are averages of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rmeval.messages import alike, shortened
from rmeval.predict.score_tables import ScoreTable
from rmeval.types import FloatArray

__all__ = ["average_notes"]

_MOST_LISTED = 4


@dataclass(frozen=True)
class _Average:
    """A column with the mean of others.

    Attributes:
        name: Its name.
        parts: Names of the others, each with a weight of 1.
        half: Name of a column that some rows also include, with a weight of one half; empty if there is none.
    """

    name: str
    parts: tuple[str, ...]
    half: str = ""


# The columns of the published boards of RM-Bench and RewardBench.
_AVERAGES = (
    _Average("Domain Avg", ("Chat", "Math", "Code", "Safety")),
    _Average("Difficulty Avg", ("Easy", "Normal", "Hard")),
    _Average("Score", ("Chat", "Chat Hard", "Safety", "Reasoning"), "Prior Sets (0.5 weight)"),
)


# Both are means of the same cells of domains and levels.
_EQUAL = ("Domain Avg", "Difficulty Avg")


def average_notes(table: ScoreTable) -> Iterator[str]:
    """Yield notes on rows that state another average than that of their numbers, as far as rounding allows."""
    for average in _AVERAGES:
        stated, parts = _column(table, average.name), [_column(table, name) for name in average.parts]
        known = [part for part in parts if part is not None]
        if stated is None or len(known) < len(parts):
            continue
        mean = np.mean(known, axis=0)
        half = _column(table, average.half) if average.half else None
        other = mean if half is None else (np.sum(known, axis=0) + half / 2) / (len(parts) + 0.5)
        unit = 10.0 ** -max(map(_decimals, stated[~np.isnan(stated)].tolist()), default=0)
        checked = ~np.isnan(stated) & ~np.isnan(mean)
        apart = checked & (np.abs(stated - mean) > 1.01 * unit)
        with_half = apart & (np.abs(stated - other) <= 1.01 * unit)
        wrong = np.flatnonzero(apart & ~with_half)
        named = f"the mean of {', '.join(average.parts[:-1])} and {average.parts[-1]}"
        if len(wrong):
            some = [
                f"{shortened(table.models[k], 60)} ({stated[k]:g}, not {mean[k]:.4g})" for k in wrong[:_MOST_LISTED]
            ]
            more = f" and {len(wrong) - _MOST_LISTED} more" if len(wrong) > _MOST_LISTED else ""
            yield (
                f"{table.source}: {len(wrong)} of {int(checked.sum())} rows state a {average.name} that is not "
                f"{named}: {', '.join(some)}{more}"
            )
        if with_half.any():
            yield (
                f"{table.source}: {average.name} mixes two formulas: {int(with_half.sum())} of {int(checked.sum())} "
                f"rows include {average.half}, and the others are {named}"
            )

    yield from _unequal(table)


def _unequal(table: ScoreTable) -> Iterator[str]:
    """Yield the note on rows whose two averages of the same cells differ by more than rounding explains."""
    parts = [name for average in _AVERAGES if average.name in _EQUAL for name in average.parts]
    columns = [_column(table, name) for name in (*_EQUAL, *parts)]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return
    complete = ~np.isnan(known).any(axis=0)
    one, other = known[0], known[1]
    unit = 10.0 ** -max(map(_decimals, one[complete].tolist()), default=0)
    apart = np.flatnonzero(complete & (np.abs(one - other) > 1.51 * unit))
    if len(apart):
        some = [f"{shortened(table.models[k], 60)} ({one[k]:g} and {other[k]:g})" for k in apart[:_MOST_LISTED]]
        more = f" and {len(apart) - _MOST_LISTED} more" if len(apart) > _MOST_LISTED else ""
        yield (
            f"{table.source}: {len(apart)} of {int(complete.sum())} rows contradict themselves, because "
            f"{' and '.join(_EQUAL)} are means of the same cells and differ: {', '.join(some)}{more}"
        )


def _column(table: ScoreTable, name: str) -> FloatArray | None:
    found = next((k for k, own in enumerate(table.columns) if alike(own, name)), None)
    return None if found is None else table.values[:, found]


def _decimals(value: float) -> int:
    return 0 if math.isclose(value, round(value)) else len(f"{value:.6f}".rstrip("0").partition(".")[2])
