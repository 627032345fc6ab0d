"""Compositions: the weight of each kind of comparison in a number, from which `compare` computes differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

__all__ = ["Composition", "Counts", "Measure", "Part", "Shares", "composition_of", "headline", "mixed", "pooled"]

Part = tuple[str, str]
"""A kind of comparison: subset and tag."""
Counts = Mapping[Part, int]
"""Number of comparisons of each kind."""
Shares = Mapping[Part, float]
"""The weight of each kind's accuracy. The shares of an accuracy add up to 1, those of a gap to 0."""
Measure = tuple[str, str]
"""The metric and scope of a record."""
Composition = Mapping[Measure, Shares]


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
    subsets = list(dict.fromkeys(subset for subset, _ in counts))
    single = {("accuracy", name): pooled(counts, [name]) for name in subsets if name != "all"}
    return {**single, ("accuracy", "all"): pooled(counts, subsets)}


def headline(measures: Iterable[Measure]) -> Measure:
    """Return the headline of a run: its overall, else the number on all items, else the first average or number."""
    there = list(measures)
    for measure in (("overall", "all"), ("accuracy", "all")):
        if measure in there:
            return measure
    return next((measure for measure in there if measure[0] == "average"), there[0])
