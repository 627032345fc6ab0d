"""Curves of best-of-N: quality of the pick among n responses, for reward models, votes, a random pick and the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rmeval.messages import count_of, percent
from rmeval.metrics.stats.paired import Difference
from rmeval.predict.candidate_set import CandidateSet
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.store.manifest import finite
from rmeval.types import Item

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BestOfNCurves", "CurvePoint", "Kind", "Overoptimisation", "Picker", "quality_text"]

Interval = tuple[float, float]
Texts = Callable[[Sequence[str]], tuple[Mapping[str, Item], list[str]]]
Kind = Literal["model", "random", "oracle", "majority", "weighted"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Quality of the pick among n responses.

    Attributes:
        n: Number of responses.
        kl: Upper bound of the KL divergence from the writer, log n - (n-1)/n, in nats.
        quality: Expected quality over all subsets of n responses.
        ci: 95% interval, with problems as clusters.
        proxy: Expected score of the pick in standard deviations of the scores within prompts, 0 for a random pick; NaN
            for a picker without scores.
    """

    n: int
    kl: float
    quality: float
    ci: Interval | None = None
    proxy: float = math.nan


@dataclass(frozen=True, slots=True)
class Overoptimisation:
    """How quality changes with the distance d = sqrt(KL) from the writer, and whether it falls again.

    Attributes:
        alpha: Gain for each unit of d at d = 0, of the fit gain = d (alpha - beta d).
        alpha_ci: Its 95% interval.
        beta: The loss of gain with d.
        beta_ci: Its 95% interval.
        fitted_peak: The n at which the fitted curve is highest; None if it is outside the range.
        peak: The n with the highest quality.
        drop: Quality there minus quality at the largest n.
        drop_low: One-sided lower 95% limit of the drop, corrected for the choice of the peak; NaN if unknown.
        p: One-sided p-value of no drop, with the same correction; NaN if unknown.
        says: The result in a sentence.
    """

    alpha: float
    alpha_ci: Interval | None
    beta: float
    beta_ci: Interval | None
    fitted_peak: float | None
    peak: int
    drop: float
    drop_low: float
    p: float
    says: str


@dataclass(frozen=True, slots=True)
class Picker:
    """A rule that picks one of n responses.

    Attributes:
        name: Its name; that of the reward model for a model and its weighted vote.
        kind: `model`, `random`, `oracle`, `majority` or `weighted`.
        points: The curve, by increasing n.
        share: Share of the possible gain at the largest n: (this - random) / (oracle - random); NaN if no gain is
            possible.
        share_ci: Its 95% interval.
        best_picked: Share of prompts whose pick among all responses is the best of them; NaN for votes.
        tied: Number of prompts in which responses with the highest score differ in quality; they share.
        missing: Number of missing scores, which are never the highest.
        overoptimisation: Of a reward model, if there are enough n.
        by_subset: Quality at the largest n by subset, if there are several.
    """

    name: str
    kind: Kind
    points: tuple[CurvePoint, ...]
    share: float = math.nan
    share_ci: Interval | None = None
    best_picked: float = math.nan
    tied: int = 0
    missing: int = 0
    overoptimisation: Overoptimisation | None = None
    by_subset: tuple[float, ...] = ()

    @property
    def end(self) -> CurvePoint:
        """The point at the largest n."""
        return self.points[-1]


@dataclass(frozen=True)
class BestOfNCurves:
    """Expected quality of the pick among n responses, for several pickers on the same prompts.

    Attributes:
        source: Where the candidates come from.
        quality: What quality is: `gold`, or the name of the run whose scores it is.
        numbers: The numbers n.
        n_prompts: Number of prompts; all numbers are of these.
        n_clusters: Number of problems.
        n_responses: Number of their responses.
        sizes: Smallest and largest number of responses of a prompt.
        proportion: Whether every quality is between 0 and 1, so that it is shown in percent.
        subsets: The subsets with their numbers of prompts, if there are several.
        pickers: The reward models in the order given, then random, majority vote, weighted votes and oracle.
        differences: Differences in quality at the largest n between reward models, majority vote and a random pick.
        notes: Notes for the reader, one sentence each.
        candidates: The prompts that the numbers are of.
        texts: Returns some of the prompts with their texts by id, and notes; None if there are none to read.
    """

    source: str
    quality: str
    numbers: tuple[int, ...]
    n_prompts: int
    n_clusters: int
    n_responses: int
    sizes: tuple[int, int]
    proportion: bool
    subsets: tuple[tuple[str, int], ...]
    pickers: tuple[Picker, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = field(repr=False)
    candidates: CandidateSet = field(repr=False)
    texts: Texts | None = field(default=None, repr=False)

    def picker(self, name: str, kind: Kind = "model") -> Picker:
        """Return a picker by name and kind.

        Raises:
            KeyError: If there is none.
        """
        for one in self.pickers:
            if (one.name, one.kind) == (name, kind):
                return one
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the curves as plain JSON types."""
        found: dict[str, Any] = {
            name: value
            for name, value in vars(self).items()
            if name not in ("pickers", "differences", "candidates", "texts")
        }
        found |= {
            "pickers": [asdict(one) for one in self.pickers],
            "differences": [{**asdict(one), "leads": one.leads} for one in self.differences],
        }
        plain: dict[str, Any] = finite(found)
        return plain

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each picker and n."""
        return frame_of(
            [{"picker": one.name, "kind": one.kind, **asdict(point)} for one in self.pickers for point in one.points]
        )

    def __repr__(self) -> str:
        lines = [f"best of {self.numbers[-1]} of {count_of(self.n_prompts, 'prompt')}, {self.source}"]
        lines += [
            f"  {one.name} ({one.kind}): {quality_text(one.end.quality, self.proportion)}" for one in self.pickers
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def quality_text(value: float, proportion: bool) -> str:
    """Format a quality: in percent if it is a proportion, otherwise with three digits."""
    return f"{percent(value)}%" if proportion else f"{value:.3g}"
