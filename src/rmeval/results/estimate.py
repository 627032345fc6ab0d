"""Estimates of a model's number from a sample of the items, with a cheap model that has scored all items."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.data.item_list import ItemList, read_item_list
from rmeval.data.tables import Mask
from rmeval.errors import DataError, RunError
from rmeval.messages import count_of, percent
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.prediction_powered import FEWEST, METHOD, Contributions, Powered, powered, strata_of
from rmeval.results.align import judged_otherwise, moved_evidence, places_in
from rmeval.results.described import data_text
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, only_folder
from rmeval.results.sampled import Sampled, refuse_other, sampled_items
from rmeval.results.spending import spending_of
from rmeval.results.summary import estimate_lines
from rmeval.results.weights import WeightedRun, weigh_run
from rmeval.store.manifest import finite
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TARGETS", "Estimate", "estimate_runs"]

TARGETS = ("benchmark", "population")
_LITTLE = 0.05
"""Share of the variance below which a cheap run is not worth its trouble."""
_SURPRISE = 3.29
"""Distance in standard errors that one random sample in 1,000 exceeds."""


@dataclass(frozen=True)
class Estimate:
    """A number of the expensive model on all items, estimated from a sample.

    Attributes:
        benchmark: The benchmark's id.
        rule: The name of the score rule.
        metric: The number, as in `Record`.
        scope: Its scope.
        target: `benchmark` if the estimate is of the number that a run on all items would have, `population` if it is
            of the number on all problems of this kind.
        cheap: Name of the model that has scored all items.
        expensive: Name of the model that has scored the sample.
        n_items: Number of items that the number depends on.
        n_sample: Number of those in the sample.
        correlation: Correlation of the models' credits, item by item and within strata; NaN if one does not vary.
        saved: Expected share of the variance that the cheap model saves; below 0 if it costs more than it saves.
        worth: Number of further items of the expensive model that would save as much.
        slope: The factor of the cheap model in the estimate.
        value: The estimate from both models.
        ci: Its 95% interval.
        value_alone: The estimate from the sample of the expensive model alone.
        ci_alone: Its 95% interval.
        cheap_value: The cheap model's number on all items.
        cheap_on_sample: The estimate of that number from the sample.
        ci_method: Method of the intervals.
        how: How the items of the sample were chosen.
        notes: Notes for the reader, one sentence each.
        price: Dollars of an item of the expensive model; NaN if unknown.
        cheap_price: Dollars of an item of the cheap model; NaN if unknown.
        data: The data that were read or generated.
    """

    benchmark: str
    rule: str
    metric: str
    scope: str
    target: str
    cheap: str
    expensive: str
    n_items: int
    n_sample: int
    correlation: float
    saved: float
    worth: float
    slope: float
    value: float
    ci: tuple[float, float]
    value_alone: float
    ci_alone: tuple[float, float]
    cheap_value: float
    cheap_on_sample: float
    ci_method: str
    how: str
    notes: tuple[str, ...] = field(repr=False)
    data: str = ""
    price: float = math.nan
    cheap_price: float = math.nan

    @property
    def money_saved(self) -> float:
        """Dollars that as much precision costs without the cheap model, minus those of the cheap model's run.

        NaN if the price of the expensive model is unknown; a cheap model of unknown price counts as free.
        """
        own = 0.0 if math.isnan(self.cheap_price) else self.cheap_price * self.n_items
        return self.worth * self.price - own

    @property
    def helps(self) -> bool:
        """Whether the cheap model saves at least 5% of the variance."""
        return self.saved >= _LITTLE

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as plain JSON types."""
        found: dict[str, Any] = finite(asdict(self) | {"helps": self.helps, "money_saved": self.money_saved})
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for the estimate from both models, and one for that from the sample alone."""
        own = (("both models", self.value, self.ci), ("sample alone", self.value_alone, self.ci_alone))
        return frame_of(
            [{"estimate": name, "value": value, "ci_low": ci[0], "ci_high": ci[1]} for name, value, ci in own]
        )

    def __repr__(self) -> str:
        return estimate_lines(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def estimate_runs(
    cheap: Place,
    expensive: Place,
    *,
    items: str | Path | None = None,
    target: str = "benchmark",
    prices: str | Path | None = None,
    metric: str | None = None,
    scope: str = "all",
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> Estimate:
    """Estimate an expensive model's number from a random sample of the items, with a cheap model's run on all items.

    The interval is valid whatever the cheap model is worth; the better the two models agree on which items are hard,
    the narrower it is.

    Args:
        cheap: The run of the cheap model on all items: a run folder, a folder with one run in it, or a result.
        expensive: The run of the expensive model on a sample of the items.
        items: The file of `choose_items`, if it chose the sample.
        target: `benchmark` for the number that a run on all items would have, `population` for the number on all
            problems of this kind, whose interval is as wide as those of `compare`.
        prices: File of prices; without one, the costs that the runs have recorded.
        metric: The number, such as `hard`; the benchmark's headline if None.
        scope: What that is measured on, such as `chat`.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to use, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If a run cannot be used, or the sample is not a random one.
    """
    if target not in TARGETS:
        raise DataError(f"`target` {target!r}: choose {' or '.join(TARGETS)}")
    listed = None if items is None else read_item_list(items)
    whole = weigh_run(cheap, metric, scope, rule, variant, benchmark, protocol)
    sample = read_scored(only_folder(expensive), benchmark, protocol, whole.run)
    refuse_other(whole.run, sample)
    both = _Both.of(whole, sample, variant, listed)
    found = both.estimate(target, listed)
    price, cheap_price = (_price(run, prices) for run in (sample, whole.run))
    return replace(found, price=price, cheap_price=cheap_price)


def _price(run: StoredRun, prices: str | Path | None) -> float:
    spent = spending_of(run, None if prices is None else str(prices))
    return math.nan if spent is None else spent.per_item


@dataclass(frozen=True)
class _Both:
    """The run on all items and the run on a sample, with the comparisons of the first.

    Attributes:
        whole: The run on all items.
        sample: The run on a sample.
        place: int64[n], the position of each item in the sample's run, or -1.
        drawn: The items of the sample.
        outcomes: The outcomes of the sample's model; failed outside the sample.
        seen: bool[m], whether each comparison is part of the number and of the sample.
    """

    whole: WeightedRun
    sample: StoredRun
    place: IntArray
    drawn: Sampled
    outcomes: Outcomes
    seen: Mask

    @classmethod
    def of(cls, whole: WeightedRun, sample: StoredRun, variant: str | None, listed: ItemList | None) -> _Both:
        place = places_in(whole.run.items, sample.items)
        drawn = sampled_items(whole, sample, (place >= 0) & whole.inside, listed)
        table = whole.run.items.table
        evidence = moved_evidence(table, sample.evidence(sample.variant(variant)), place)
        outcomes = whole.run.benchmark.outcomes(table, evidence, whole.rule)
        found = cls(whole, sample, place, drawn, outcomes, drawn.items[outcomes.item] & (whole.weight != 0))
        if (count := int(found.known.sum())) < FEWEST:
            raise RunError(
                f"{sample.folder} has scores of {count_of(count, 'item')} that {' '.join(whole.measure)} depends on: "
                f"run the model on {FEWEST} or more"
            )
        return found

    @property
    def name(self) -> str:
        return str(self.sample.manifest["model"]["name"])

    @property
    def credit(self) -> FloatArray:
        """The credits of the sample's model; NaN outside the sample."""
        return np.where(self.seen, self.outcomes.credit, np.nan)

    @property
    def known(self) -> Mask:
        """Whether each item of the sample has a credit."""
        found: Mask = self.whole.sums(~np.isnan(self.credit) + 0.0) > 0
        return found

    @property
    def is_proportion(self) -> bool:
        """Whether the number is a mean of credits between 0 and 1."""
        weight = self.whole.weight
        known = [own[~np.isnan(own)] for own in (self.credit, self.whole.credit)]
        between = all(((own >= 0) & (own <= 1)).all() for own in known)
        return between and bool((weight >= 0).all()) and abs(float(weight.sum()) - 1) < 1e-9

    def contributions(self, listed: ItemList | None) -> Contributions:
        """Return what each item contributes; a comparison without a credit is not part of the sample."""
        whole, credit = self.whole, self.credit
        inside = whole.inside
        known = ~np.isnan(credit)
        chance = None
        if listed is not None:
            named = (listed.probabilities.get(name) for name in whole.run.items.table.ids)
            chance = np.array([np.nan if own is None else own for own in named])[inside]
        return Contributions(
            whole.size[inside],
            whole.sums(whole.weight * whole.credit)[inside],
            whole.sums(whole.weight * np.where(known, credit, 0.0))[inside],
            whole.sums(np.abs(whole.weight) * known)[inside],
            self.drawn.items[inside],
            strata_of(whole.parts[inside], self.known[inside]),
            whole.outcomes.cluster[inside],
            chance,
        )

    def estimate(self, target: str, listed: ItemList | None) -> Estimate:
        """Estimate the number of the sample's model."""
        whole = self.whole
        found = powered(self.contributions(listed), target == "population", self.is_proportion)
        return Estimate(
            whole.run.benchmark.card.id,
            whole.rule.name,
            *whole.measure,
            target=target,
            cheap=whole.name,
            expensive=self.name,
            n_items=int(whole.inside.sum()),
            n_sample=int(self.drawn.items.sum()),
            correlation=found.correlation,
            saved=found.saved,
            worth=found.worth,
            slope=found.slope,
            value=found.combined.value,
            ci=found.combined.ci,
            value_alone=found.alone.value,
            ci_alone=found.alone.ci,
            cheap_value=found.cheap,
            cheap_on_sample=found.cheap_on_sample,
            ci_method=METHOD,
            how=self.drawn.how,
            notes=(*_remarks(found, whole.name, self.name), *self.notes()),
            data=data_text(whole.run.manifest),
        )

    def notes(self) -> Iterator[str]:
        """Yield notes on the sample, on labels, and on missing scores."""
        yield from self.drawn.notes
        whole = self.whole
        if other := judged_otherwise(whole.run, self.sample, self.place, self.drawn.items):
            yield (
                f"{count_of(other, 'item')} with another winner, subset or problem in {self.sample.folder}: those of "
                f"{whole.run.folder} are used"
            )
        counted = "counted as lost" if whole.rule.failure == "loss" else f"treated by the rule {whole.rule.name}"
        lost = {whole.name: whole.outcomes.failed & (whole.weight != 0), self.name: self.outcomes.failed & self.seen}
        for name, own in lost.items():
            if own.any():
                yield f"{name}: {count_of(int(own.sum()), 'comparison')} without a score, {counted}"


def _remarks(found: Powered, cheap: str, expensive: str) -> Iterator[str]:
    """Yield what to conclude about the cheap run and the sample."""
    if np.isnan(found.correlation):
        yield (
            "the correlation is not known, because one model has the same result on all sampled items of each subset: "
            f"run {expensive} on more"
        )
    elif found.saved < _LITTLE:
        saved = f"saves {percent(found.saved)}% of the variance" if found.saved > 0 else "saves nothing"
        yield (
            f"{cheap} does not help: it {saved}; report the sample alone, or give a run of a model that is right and "
            f"wrong on the same items as {expensive}"
        )
    if abs(found.surprise) > _SURPRISE:
        yield (
            f"is the sample random? {cheap} has {percent(found.cheap_on_sample)}% on it and {percent(found.cheap)}% on "
            "all items, a difference that fewer than 1 in 1,000 random samples have"
        )
