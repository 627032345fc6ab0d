"""Models on several benchmarks together, from the comparison of each benchmark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import chosen_from, count_of, percent
from rmeval.metrics.composition import Measure
from rmeval.metrics.stats.across import benjamini_yekutieli, mean_interval, mean_rank_interval, middle_ranks
from rmeval.metrics.stats.paired import Difference
from rmeval.metrics.stats.significance import LEVEL, holm
from rmeval.metrics.targets import best, merit
from rmeval.results.compare import Entry, ModelComparison
from rmeval.results.frames import frame_of, row_of
from rmeval.results.notebook import html_of
from rmeval.results.order import letters_of, ranks_of
from rmeval.results.same_models import labels_of, settings_notes
from rmeval.store.manifest import finite
from rmeval.types import FloatArray, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CORRECTIONS",
    "AcrossBenchmarks",
    "AcrossModel",
    "BenchmarkDifference",
    "compare_across",
    "have_models_in_common",
]

CORRECTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {"holm": holm, "by": benjamini_yekutieli}
"""Corrections of p-values for the number of differences."""


@dataclass(frozen=True)
class BenchmarkDifference:
    """Difference of two models in the headline of one benchmark.

    Attributes:
        benchmark: The benchmark, as in `AcrossBenchmarks.benchmarks`.
        first: Name of the first model.
        second: Name of the second model.
        value: The first model's number minus the second's.
        p: Two-sided p-value of this difference alone.
        p_corrected: `p`, corrected for the differences of all pairs of models on all benchmarks.
    """

    benchmark: str
    first: str
    second: str
    value: float
    p: float
    p_corrected: float

    @property
    def leads(self) -> int:
        """1 if the first model's number is significantly larger, -1 if the second's is, 0 if neither."""
        return 0 if self.p_corrected >= LEVEL else 1 if self.value > 0 else -1


@dataclass(frozen=True)
class AcrossModel:
    """A model on several benchmarks.

    Attributes:
        name: Its name.
        records: Its headline on each benchmark.
        letters: By benchmark: two models share a letter if they do not differ significantly.
        ranks: By benchmark, the range of its ranks among the models that were run on all benchmarks; empty if it was
            not.
        mean_rank: The mean of its ranks; None if it was not run on all benchmarks.
        mean_rank_ci: The interval of its mean rank.
        mean: The mean of its headlines; None if it was not run on all benchmarks, or if these have no mean.
        mean_ci: 95% interval of the mean.
    """

    name: str
    records: Mapping[str, Record]
    letters: Mapping[str, str]
    ranks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    mean_rank: float | None = None
    mean_rank_ci: tuple[float, float] | None = None
    mean: float | None = None
    mean_ci: tuple[float, float] | None = None


@dataclass(frozen=True)
class AcrossBenchmarks:
    """The headlines of models on several benchmarks.

    Attributes:
        benchmarks: Names of the benchmarks; with the data, if several are of one benchmark.
        headlines: The headline of each.
        correction: `holm` or `by`: how p-values and letters are corrected. Ranks always use Holm's correction.
        models: The models that were run on two or more of the benchmarks, the best mean rank first.
        differences: The differences of all pairs of these models, by benchmark and pair.
        notes: Notes for the reader, one sentence each.
    """

    benchmarks: tuple[str, ...]
    headlines: Mapping[str, Measure]
    correction: str
    models: tuple[AcrossModel, ...]
    differences: tuple[BenchmarkDifference, ...]
    notes: tuple[str, ...]

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each model and benchmark."""
        return frame_of(
            [
                {"model": one.name, "on": name, "mean_rank": one.mean_rank, "mean": one.mean}
                | row_of(record)
                | {"letters": one.letters[name]}
                for one in self.models
                for name, record in one.records.items()
            ]
        )

    def __repr__(self) -> str:
        lines = [f"{count_of(len(self.models), 'model')} on {count_of(len(self.benchmarks), 'benchmark')}"]
        for one in self.models:
            rank = "" if one.mean_rank is None else f"mean rank {one.mean_rank:.2f}  "
            numbers = (f"{name} {percent(record.value)} {one.letters[name]}" for name, record in one.records.items())
            lines.append(f"  {one.name}  {rank}{', '.join(numbers)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the view as plain JSON types."""
        found: dict[str, Any] = finite(
            {
                "across": list(self.benchmarks),
                "headlines": dict(self.headlines),
                "correction": self.correction,
                "models": [
                    asdict(one) | {"records": {name: record.to_dict() for name, record in one.records.items()}}
                    for one in self.models
                ],
                "differences": [asdict(one) | {"leads": one.leads} for one in self.differences],
                "notes": list(self.notes),
            }
        )
        return found


def compare_across(comparisons: Sequence[ModelComparison], correction: str = "holm") -> AcrossBenchmarks:
    """Compare the models that were run on two or more benchmarks, over all of these benchmarks.

    All differences between two models in a headline, on all benchmarks, form one family: p-values are corrected for
    their number. The mean rank of a model is that among the models that were run on all benchmarks.

    Args:
        comparisons: The comparisons of `rmeval.compare`, one for each benchmark.
        correction: `holm` limits the probability of any false difference to 5%; `by` limits the expected share of
            false ones among the significant differences to 5%.

    Raises:
        RunError: If the correction does not exist, or there are fewer than two comparisons.
    """
    if correction not in CORRECTIONS:
        raise RunError(f"`correction` {correction!r} does not exist: {chosen_from(correction, CORRECTIONS)}")
    if not isinstance(comparisons, Sequence) or len(comparisons) < 2:
        raise RunError("there is nothing to compare across benchmarks: give runs of two benchmarks or more")
    found = _on_benchmarks(comparisons)
    ranked = [one for one in found if one.comparison.headline is not None]
    kept, models = _shared(ranked)
    corrected = _corrected(kept, models, correction)
    made = _models(kept, models, corrected, corrected if correction == "holm" else _corrected(kept, models, "holm"))
    return AcrossBenchmarks(
        tuple(one.name for one in kept),
        {one.name: one.top for one in kept},
        correction,
        tuple(made),
        tuple(
            BenchmarkDifference(name, one.first, one.second, one.value, one.p, one.p_holm)
            for name, own in corrected.items()
            for one in own
        ),
        (
            *(f"{one.name} is excluded here, because it has no headline" for one in found if one not in ranked),
            *(_missing(ranked, kept, models) if models else _nothing(found, ranked)),
            *settings_notes([(one.name, one.entries) for one in kept], models),
            *(_chance(kept) if any(one.mean is not None for one in made) else ()),
        ),
    )


def have_models_in_common(comparisons: Sequence[ModelComparison]) -> bool:
    """Return whether two or more models were run on the same two benchmarks, with or without a headline."""
    _, models = _shared(_on_benchmarks(comparisons))
    return bool(models)


@dataclass(frozen=True)
class _OnBenchmark:
    """One benchmark's comparison, and its entries by the label that a model has on all benchmarks."""

    name: str
    comparison: ModelComparison
    entries: Mapping[str, Entry]

    @property
    def top(self) -> Measure:
        return self.comparison.headline or ("", "")

    def record(self, model: str) -> Record:
        return self.entries[model].records[self.top]

    def differences(self, models: Sequence[str]) -> Iterator[Difference]:
        """Yield the differences of all pairs of these models, with their labels as names."""
        for first, second in combinations([name for name in models if name in self.entries], 2):
            own = self.comparison.difference(self.entries[first].name, self.entries[second].name, *self.top)
            yield replace(own, first=first, second=second)


def _on_benchmarks(comparisons: Sequence[ModelComparison]) -> list[_OnBenchmark]:
    return [
        _OnBenchmark(name, one, own)
        for name, one, own in zip(_names(comparisons), comparisons, labels_of(comparisons), strict=True)
    ]


def _names(comparisons: Sequence[ModelComparison]) -> list[str]:
    """Return a name of each benchmark: its id, with the data if several are of one benchmark."""
    ids = [one.benchmark for one in comparisons]
    return [
        f"{one.benchmark} {one.data}".strip() if ids.count(one.benchmark) > 1 else one.benchmark for one in comparisons
    ]


def _shared(found: Sequence[_OnBenchmark]) -> tuple[list[_OnBenchmark], list[str]]:
    """Return the benchmarks with two or more of the models, and the models that are on two or more of these."""
    kept = list(found)
    while True:
        names = list(dict.fromkeys(name for one in kept for name in one.entries))
        models = [name for name in names if sum(name in one.entries for one in kept) > 1]
        still = [one for one in kept if sum(name in one.entries for name in models) > 1]
        if len(still) == len(kept):
            return kept, models
        kept = still


def _corrected(kept: Sequence[_OnBenchmark], models: Sequence[str], correction: str) -> dict[str, list[Difference]]:
    """Return the differences on each benchmark, with p-values that are corrected as one family."""
    own = {one.name: list(one.differences(models)) for one in kept}
    p = iter(CORRECTIONS[correction](np.array([one.p for ones in own.values() for one in ones])).tolist())
    return {name: [replace(one, p_holm=next(p)) for one in ones] for name, ones in own.items()}


def _models(
    kept: Sequence[_OnBenchmark],
    models: Sequence[str],
    corrected: Mapping[str, Sequence[Difference]],
    by_holm: Mapping[str, Sequence[Difference]],
) -> list[AcrossModel]:
    """Return the models, the best mean rank first, then those that were not run on all benchmarks."""
    letters = {}
    for one in kept:
        there = [name for name in models if name in one.entries]
        own = letters_of([one.record(name) for name in there], there, corrected[one.name])
        letters[one.name] = dict(zip(there, own, strict=True))
    found = {
        name: AcrossModel(
            name,
            {one.name: one.record(name) for one in kept if name in one.entries},
            {one.name: letters[one.name][name] for one in kept if name in one.entries},
        )
        for name in models
    }
    complete = [name for name in models if all(name in one.entries for one in kept)]
    if len(complete) > 1:
        found |= {own.name: own for own in _with_ranks([found[name] for name in complete], kept, by_holm)}
    return sorted(found.values(), key=lambda one: (one.mean_rank is None, one.mean_rank or 0.0))


def _with_ranks(
    models: Sequence[AcrossModel], kept: Sequence[_OnBenchmark], by_holm: Mapping[str, Sequence[Difference]]
) -> Iterator[AcrossModel]:
    """Yield models that were run on all benchmarks with their ranks and means."""
    names = [own.name for own in models]
    ranges: dict[str, list[tuple[int, int]]] = {}
    places = []
    for one in kept:
        records = [one.record(name) for name in names]
        among = [own for own in by_holm[one.name] if {own.first, own.second} <= set(names)]
        ranges[one.name] = ranks_of(records, names, among)
        places.append(middle_ranks(np.array([merit(one.top[0], record.value) for record in records])))
    for k, own in enumerate(models):
        ranks = {name: ends[k] for name, ends in ranges.items()}
        yield replace(
            _with_mean(own),
            ranks=ranks,
            mean_rank=float(np.mean([ranked[k] for ranked in places])),
            mean_rank_ci=mean_rank_interval(list(ranks.values())),
        )


def _with_mean(model: AcrossModel) -> AcrossModel:
    """Return the model with the mean of its headlines, if larger is better in each of them."""
    records = list(model.records.values())
    if any(best(record.metric) != math.inf for record in records):
        return model
    ends = [record.ci for record in records if record.ci is not None]
    values = [record.value for record in records]
    interval = mean_interval(values, ends) if len(ends) == len(values) else None
    return replace(model, mean=float(np.mean(values)), mean_ci=interval)


def _nothing(found: Sequence[_OnBenchmark], ranked: Sequence[_OnBenchmark]) -> Iterator[str]:
    """Yield the note for models of which no two are on the same two benchmarks that rank them."""
    benchmarks = "benchmarks" if len(ranked) == len(found) else "other benchmarks"
    yield f"no two models were run on the same two {benchmarks}, so there is nothing to compare across benchmarks"


def _missing(ranked: Sequence[_OnBenchmark], kept: Sequence[_OnBenchmark], models: Sequence[str]) -> Iterator[str]:
    """Yield notes on what is not here, and on models that miss some of the benchmarks."""
    yield from (
        f"{one.name} is excluded here, because fewer than two of the models were run on it"
        for one in ranked
        if one not in kept
    )
    for name in dict.fromkeys(name for one in ranked for name in one.entries if name not in models):
        there = next(one.name for one in ranked if name in one.entries)
        yield f"{name} is excluded here, because it was run on {there} only"
    partial = {name: [one.name for one in kept if name not in one.entries] for name in models}
    for name, without in partial.items():
        if without:
            yield f"{name} was not run on {', '.join(without)}: it has no mean rank and no mean"
    if sum(not without for without in partial.values()) < 2:
        yield "there are no mean ranks, because fewer than two models were run on all of these benchmarks"


def _chance(kept: Sequence[_OnBenchmark]) -> Iterator[str]:
    """Yield a note if random scores get different numbers on the benchmarks."""
    records = {one.name: one.record(next(iter(one.entries))) for one in kept}
    chance = {name: record.null["random"] for name, record in records.items() if "random" in record.null}
    if chance and max(chance.values()) - min(chance.values()) > 0.01:
        texts = ", ".join(f"{percent(value)} on {name}" for name, value in chance.items())
        yield f"random scores get {texts}: a mean of numbers with different chance levels is not a share"
