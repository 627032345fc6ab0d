"""Designs: numbers of problems and of repeats, and how precise a number is with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from rmeval.metrics.stats.variance import ITEM, PROBLEM, Component, best_split, reliability, standard_error
from rmeval.types import IntArray

__all__ = ["Design", "Designs"]


_NOW = "as it is"


@dataclass(frozen=True, slots=True)
class Design:
    """Numbers of problems and of repeats, and how precise a number is with them.

    Attributes:
        name: What the design is; empty for one of the grid.
        sizes: Number of problems, and of levels of each facet or of items in each problem.
        evaluations: Their product, for each model if models are compared.
        error: Standard error of the number, or of the difference of two models.
        repeat_error: Standard error of the number if the same problems are evaluated again with other levels; None for
            items of problems, and if models are compared.
        reliability: The generalizability coefficient of models, see `rmeval.metrics.stats.variance.reliability`; None
            if models are not compared.
    """

    name: str
    sizes: Mapping[str, float]
    evaluations: float
    error: float
    repeat_error: float | None
    reliability: float | None


@dataclass(frozen=True)
class Designs:
    """The designs to compare.

    Attributes:
        components: The variance components.
        measured: The axis whose levels are compared, if there is one.
        now: Number of problems, and of levels or items, as the runs are.
        repeated: The axes other than problems that can be repeated.
        size: For items of problems: int64[problems], the number of items of each problem.
    """

    components: tuple[Component, ...]
    measured: str | None
    now: Mapping[str, float]
    repeated: tuple[str, ...]
    size: IntArray | None

    def design(self, name: str, sizes: Mapping[str, float]) -> Design:
        """Return the design of some numbers of problems and repeats."""
        own = {axis: sizes[axis] for axis in (PROBLEM, *self.repeated)}
        error = standard_error(self.components, own, self.measured)
        if self.size is not None and name == _NOW:
            # Problems have different numbers of items.
            share = float(np.square(self.size / self.size.sum()).sum())
            error = math.sqrt(self.components[0].variance * share + self.components[1].variance / self.size.sum())
        known = None if self.measured is None else reliability(self.components, own, self.measured)
        again = None
        if self.measured is None and ITEM not in own:
            again = standard_error([one for one in self.components if one.effect != (PROBLEM,)], own)
        return Design(name, own, math.prod(own.values()), error, again, known)

    def named(self) -> Iterator[Design]:
        """Yield the runs as they are, twice as much of each, and the best split."""
        yield self.design(_NOW, self.now)
        for axis in (PROBLEM, *self.repeated):
            what = "problems" if axis == PROBLEM else "items in each" if axis == ITEM else axis
            yield self.design(f"2 x {what}", {**self.now, axis: 2 * self.now[axis]})
        if self.repeated and ITEM not in self.repeated:
            yield self.design("without repeats", {**self.now, **dict.fromkeys(self.repeated, 1)})
        if self.repeated:
            budget = round(math.prod(self.now[axis] for axis in (PROBLEM, *self.repeated)))
            best = best_split(self.components, budget, self.repeated, self.measured)
            yield self.design("best split", best)

    def grid(self) -> Iterator[Design]:
        """Yield designs over the numbers of problems and repeats."""
        problems = round(self.now[PROBLEM])
        rows = sorted({max(2, round(problems * factor)) for factor in (0.25, 0.5, 1, 2, 4)})
        wanted = (1, 2, 3, 5, 10) if len(self.repeated) < 2 else (1, 2, 5)
        choices = [sorted({*wanted, *([int(self.now[axis])] if axis != ITEM else [])}) for axis in self.repeated]
        for count in rows:
            for levels in product(*choices):
                yield self.design("", {PROBLEM: count, **dict(zip(self.repeated, levels, strict=True))})
