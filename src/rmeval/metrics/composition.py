"""Compositions: the weight of each kind of comparison in a number, from which `compare` computes differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

__all__ = [
    "GAP",
    "Composition",
    "Counts",
    "Measure",
    "Part",
    "Shares",
    "absence",
    "absent",
    "composition_of",
    "headline",
    "mixed",
    "parts",
    "pooled",
]

Part = tuple[str, str]
"""A kind of comparison: subset and tag."""
Counts = Mapping[Part, int]
"""Number of comparisons of each kind."""
Shares = Mapping[Part, float]
"""The weight of each kind's accuracy. The shares of an accuracy add up to 1, those of a gap to 0."""
Measure = tuple[str, str]
"""The metric and scope of a record."""
Composition = Mapping[Measure, Shares]
GAP = "style_gap"
"""Easy minus Hard: the effect of the responses' styles on a model's decisions; 0 for a model that ignores style."""


def pooled(counts: Counts, subsets: Iterable[str], tags: Iterable[str] | None = None) -> Shares:
    """Return the shares of the accuracy over some subsets (and tags): each kind is weighted by its number."""
    inside, wanted = set(subsets), None if tags is None else set(tags)
    own = {part: n for part, n in counts.items() if part[0] in inside and (wanted is None or part[1] in wanted)}
    total = sum(own.values())
    return {part: n / total for part, n in own.items()}


def mixed(parts: Iterable[tuple[float, Shares]]) -> Shares:
    """Return the shares of a weighted sum of numbers."""
    found: dict[Part, float] = {}
    for weight, shares in parts:
        for part, share in shares.items():
            found[part] = found.get(part, 0.0) + weight * share
    return found


class Composed(Protocol):
    """An object that defines the compositions of its numbers, such as a benchmark."""

    def composition(self, counts: Counts) -> Composition:
        """Return the shares of each number, given the number of comparisons of each kind."""
        ...


def composition_of(benchmark: Composed, counts: Counts) -> Composition:
    """Return the compositions of a benchmark's numbers, without numbers that no comparison contributes to.

    Args:
        benchmark: The benchmark.
        counts: Number of comparisons of each kind.
    """
    return {measure: shares for measure, shares in benchmark.composition(counts).items() if shares}


def by_subset(counts: Counts) -> Composition:
    """Return the compositions of the accuracy of each subset, and of all comparisons."""
    # By name, so that the order of items does not matter.
    subsets = sorted({subset for subset, _ in counts})
    single = {("accuracy", name): pooled(counts, [name]) for name in subsets if name != "all"}
    return {**single, ("accuracy", "all"): pooled(counts, subsets)}


def headline(measures: Iterable[Measure]) -> Measure | None:
    """Return the headline of a run: the number that stands for all items; None if there is none.

    It is the overall, else the accuracy on all items, else the first other number on all items, else an average that is
    the only number on its scope, such as the average of several sets. A number of a part, such as a domain's average,
    is never the headline.
    """
    there = [measure for measure in measures if not measure[0].startswith("cell:")]
    whole = [measure for measure in there if measure[1] == "all"]
    for measure in (("overall", "all"), ("accuracy", "all"), *whole):
        if measure in there:
            return measure
    scopes = [scope for _, scope in there]
    return next((one for one in there if one[0] == "average" and scopes.count(one[1]) == 1), None)


def parts(measures: Iterable[Measure]) -> list[Measure]:
    """Return the main number of each part, which are listed where there is no headline.

    These are the averages, else the sections, else the accuracies, else all numbers.
    """
    there = [measure for measure in measures if not measure[0].startswith("cell:")]
    for metrics in (("average",), ("section", "language"), ("accuracy", "composite")):
        if found := [measure for measure in there if measure[0] in metrics]:
            return found
    return there


_ABSENT = ": there are no items of "


def absent(whole: str, missing: str) -> str:
    """Return the note on a number that does not exist because parts have no items."""
    return f"no {whole}{_ABSENT}{missing}"


def absence(measures: Iterable[Measure], notes: Iterable[str]) -> str:
    """Return the sentence that stands before the numbers of a run whose official headline is missing; else empty.

    Args:
        measures: The numbers of the run.
        notes: The notes of the run, of which one may be that of `absent`.
    """
    there = list(measures)
    note = next((note for note in notes if note.startswith("no ") and _ABSENT in note), "")
    if note or not there or headline(there) is not None:
        return note
    return "no overall: no number is of all items"
