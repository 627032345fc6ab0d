"""Checks of published rows: averages against the numbers that they are averages of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Average", "Contradiction", "contradictions", "mean_of", "named", "plain"]

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


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A number that no numbers which round to those of its row could average to.

    Attributes:
        column: The name of the average.
        stated: The number; None if only its definitions contradict each other.
        means: The mean of each definition's parts, by the names of the parts.
        missing: Parts that the number needs and the row lacks, if no definition could be computed.
    """

    column: str
    stated: float | None
    means: Mapping[tuple[str, ...], float]
    missing: tuple[str, ...] = ()

    def sentence(self, unit: float = 1) -> str:
        """Return the contradiction in words, such as `the overall is 86.4, but the mean of chat and math is 83.1`.

        Args:
            unit: What a share of 1 is: 1, or 100 for percentages.
        """
        name = f"the {plain(self.column)}"
        if self.stated is not None and self.missing:
            return f"{name} is {unit * self.stated:.4g}, but there is no number of {named(self.missing)}"
        means = " and ".join(f"the mean of {named(parts)} is {unit * mean:.4g}" for parts, mean in self.means.items())
        return (
            f"{means}, but both are {name}"
            if self.stated is None
            else f"{name} is {unit * self.stated:.4g}, but {means}"
        )


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


def contradictions(averages: Sequence[Average], row: Mapping[str, float], digit: float) -> tuple[Contradiction, ...]:
    """Return the contradictions in a row.

    Numbers rounded to the same digit differ from a mean of such numbers by at most one unit of that digit. Averages of
    the same name are checked together, because they are defined as the same number.

    Args:
        averages: The averages.
        row: The numbers of a row by name; missing numbers are left out.
        digit: One unit of the last digit of the numbers, such as 0.1.
    """
    names = dict.fromkeys(average.column for average in averages)
    return tuple(
        wrong for name in names for wrong in _wrong([one for one in averages if one.column == name], row, digit)
    )


def _wrong(averages: Sequence[Average], row: Mapping[str, float], digit: float) -> Iterator[Contradiction]:
    """Yield the contradiction of a number to its definitions, or of these to each other."""
    name = averages[0].column
    stated = row.get(name)
    means = {_parts(one, row): mean for one in averages if (mean := mean_of(one, row, one.half in row)) is not None}
    if stated is not None and not means and len(averages) == 1 and any(part in row for part in averages[0].parts):
        yield Contradiction(name, stated, {}, tuple(part for part in averages[0].parts if part not in row))
    numbers = [*means.values(), *([] if stated is None else [stated])]
    if means and max(numbers) - min(numbers) > digit + _SLACK:
        yield Contradiction(name, stated, means)


def _parts(average: Average, row: Mapping[str, float]) -> tuple[str, ...]:
    """Return the names of the parts of an average that a row has."""
    half = [f"half of {plain(average.half)}"] if average.half in row else []
    return (*(name for name in average.parts if name in row), *half)


def named(names: Iterable[str]) -> str:
    """List numbers with commas, and `and` before the last."""
    *first, last = map(plain, names)
    return f"{', '.join(first)} and {last}" if first else last


def plain(name: str) -> str:
    """Return the short name of a number `metric scope`: its scope, or its metric if it is of all items."""
    metric, _, scope = name.partition(" ")
    return metric if scope == "all" else scope if metric in ("average", "section", "accuracy", "composite") else name
