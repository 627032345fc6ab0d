"""Checks of published rows: averages against the numbers that they are averages of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Average", "contradictions", "counts_half", "mean_of"]

_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Average:
    """A number that is the mean of others.

    Attributes:
        column: Its name.
        parts: Names of the others, each with a weight of 1.
        half: Name of a number that rows which have it also include, with a weight of one half; empty if there is none.
        fewer: Whether rows that lack some parts have the mean of the others.
    """

    column: str
    parts: tuple[str, ...]
    half: str = ""
    fewer: bool = False


def mean_of(average: Average, row: Mapping[str, float], half: bool = False) -> float | None:
    """Return the mean of the parts of an average in a row, None if some are missing that the average needs.

    Args:
        average: The average.
        row: The numbers of a row by name.
        half: Whether to include the number with a weight of one half.
    """
    parts = [row[name] for name in average.parts if name in row]
    missing = not parts if average.fewer else len(parts) < len(average.parts)
    if missing or (half and average.half not in row):
        return None
    return (sum(parts) + row[average.half] / 2) / (len(parts) + 0.5) if half else sum(parts) / len(parts)


def counts_half(average: Average, row: Mapping[str, float]) -> bool:
    """Whether a row's formula includes the number with a weight of one half, which is so if the row has this number."""
    return average.half in row


def contradictions(
    averages: Sequence[Average], row: Mapping[str, float], decimals: int, unit: float
) -> tuple[str, ...]:
    """Return a sentence on each number that no numbers which round to the row's could average to.

    Numbers rounded to the same digit differ from a mean of such numbers by at most one unit of that digit. Averages of
    the same name are checked together, because they are defined as the same number.

    Args:
        averages: The averages.
        row: The numbers of a row by name, as shares.
        decimals: Number of decimals of the published numbers.
        unit: The published number that a share of 1 has: 1, or 100 for percentages.
    """
    allowed = 10.0**-decimals / unit + _SLACK
    names = dict.fromkeys(average.column for average in averages)
    return tuple(
        sentence
        for name in names
        if name in row
        for sentence in _wrong([one for one in averages if one.column == name], row, allowed, unit)
    )


def _wrong(averages: Sequence[Average], row: Mapping[str, float], allowed: float, unit: float) -> Iterator[str]:
    """Yield the sentence on a number that contradicts a definition, or whose definitions contradict each other."""
    name = averages[0].column
    stated = row[name]
    means = {
        _listed(one, row): mean for one in averages if (mean := mean_of(one, row, counts_half(one, row))) is not None
    }
    if not means and len(averages) == 1 and any(part in row for part in averages[0].parts):
        missing = _and(part for part in averages[0].parts if part not in row)
        yield f"the {_plain(name)} is {stated * unit:.4g}, but there is no number of {missing}"
    if means and max(stated, *means.values()) - min(stated, *means.values()) > allowed:
        found = " and ".join(f"the mean of {parts} is {mean * unit:.4g}" for parts, mean in means.items())
        yield f"the {_plain(name)} is {stated * unit:.4g}, but {found}"


def _listed(average: Average, row: Mapping[str, float]) -> str:
    """List the parts of an average in a row."""
    half = [f"half of {_plain(average.half)}"] if counts_half(average, row) else []
    return _and((*(name for name in average.parts if name in row), *half))


def _and(names: Iterable[str]) -> str:
    """List names with commas, and `and` before the last."""
    *first, last = map(_plain, names)
    return f"{', '.join(first)} and {last}" if first else last


def _plain(name: str) -> str:
    """Return the short name of a number: its scope, or its metric if it is of all items."""
    metric, _, scope = name.partition(" ")
    return metric if scope == "all" else scope if metric in ("average", "section", "accuracy", "composite") else name
