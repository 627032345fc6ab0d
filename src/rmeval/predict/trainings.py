"""Methods of training, compared over several trainings of each: intervals cover trainings and problems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.metrics.composition import Composition, Measure, composition_of, mixed
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.linearised import linearise
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.significance import LEVEL, holm
from rmeval.metrics.stats.trainings import TrainingsMean, trainings_mean
from rmeval.results.align import ScoredRun, shared_evidence
from rmeval.results.described import data_text
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, only_folder
from rmeval.results.result import check_rule, rule_of
from rmeval.store.manifest import finite
from rmeval.store.run import read_scored
from rmeval.types import FloatArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MethodDifference", "MethodNumber", "Trainings", "TrainingsComparison", "compare_trainings"]

DOMAINS = "domains"
"""Scope of the mean over the domains that there are, where the benchmark has no number for all."""


@dataclass(frozen=True)
class Trainings:
    """The runs of one method of training, one for each training, such as one for each seed.

    Attributes:
        name: Name of the method.
        runs: Run folders or results.
        variant: Which of the models' scores to use; their first if None.
    """

    name: str
    runs: Sequence[Place]
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class MethodNumber:
    """A number of a method.

    Attributes:
        method: Name of the method.
        metric: The number, as in `Record`.
        scope: Its scope; `domains` is the mean over the domains that there are.
        mean: Mean over trainings and problems with its uncertainty.
        each: The number of each training.
    """

    method: str
    metric: str
    scope: str
    mean: TrainingsMean
    each: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MethodDifference:
    """Difference of two methods in a number, on the same problems, training by training.

    Attributes:
        first: Name of the first method.
        second: Name of the second method.
        metric: The number.
        scope: Its scope.
        mean: The first method's number minus the second's, with its uncertainty and minimum detectable effect.
        each: The difference of each pair of trainings.
        p_holm: P-value, corrected for all differences of the comparison.
    """

    first: str
    second: str
    metric: str
    scope: str
    mean: TrainingsMean
    each: tuple[float, ...]
    p_holm: float

    @property
    def leads(self) -> int:
        """1 if the first method's number is significantly larger, -1 if the second's is, 0 if neither."""
        return 0 if not self.p_holm < LEVEL else 1 if self.mean.value > 0 else -1


@dataclass(frozen=True)
class TrainingsComparison:
    """Methods of training, compared on one benchmark.

    Attributes:
        benchmark: The benchmark's id.
        rule: Name of the score rule.
        methods: Names of the methods.
        paths: The run folders of each method, one for each training.
        n_items: Number of common items.
        n_problems: Number of their problems.
        numbers: Each method's numbers.
        differences: The differences of all pairs of methods that have several trainings, in the numbers for all domains
            together, so that few tests share the correction.
        notes: Notes for the reader, one sentence each.
        data: The data that were read or generated.
    """

    benchmark: str
    rule: str
    methods: tuple[str, ...]
    paths: tuple[tuple[Path, ...], ...]
    n_items: int
    n_problems: int
    numbers: tuple[MethodNumber, ...]
    differences: tuple[MethodDifference, ...] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    data: str = ""

    @property
    def n_trainings(self) -> tuple[int, ...]:
        """Number of trainings of each method."""
        return tuple(map(len, self.paths))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The numbers that are compared, as metric and scope."""
        return tuple(dict.fromkeys((one.metric, one.scope) for one in self.numbers))

    def number(self, method: str, metric: str, scope: str) -> MethodNumber:
        """Return a number of a method.

        Raises:
            RunError: If there is no such number.
        """
        for one in self.numbers:
            if (one.method, one.metric, one.scope) == (method, metric, scope):
                return one
        raise RunError(f"{method} has no {metric} on {scope}: choose from {', '.join(map(' '.join, self.measures))}")

    def difference(self, first: str, second: str, metric: str, scope: str) -> MethodDifference:
        """Return the difference of two methods, in the order of `methods`.

        Raises:
            RunError: If there is no such difference.
        """
        for one in self.differences:
            if (one.first, one.second, one.metric, one.scope) == (first, second, metric, scope):
                return one
        raise RunError(f"there is no difference of {first} and {second} in {metric} on {scope}: see `differences`")

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types."""
        paths = [list(map(str, own)) for own in self.paths]
        found: dict[str, Any] = finite(asdict(self) | {"paths": paths, "n_trainings": list(self.n_trainings)})
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each number and for each difference."""
        return frame_of([*map(_row, self.numbers), *map(_row, self.differences)])

    def __repr__(self) -> str:
        metric, scope = self.measures[0]
        lines = [f"{self.benchmark}  {metric} {scope}, mean over trainings and problems"]
        for name in self.methods:
            mean = self.number(name, metric, scope).mean
            low, high = mean.ci or (math.nan, math.nan)
            lines.append(f"  {name}: {100 * mean.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def compare_trainings(
    methods: Sequence[Trainings], *, metrics: Sequence[str] = (), rule: str | None = None
) -> TrainingsComparison:
    """Compare methods of training that were repeated, on the same items; needs neither the models nor torch.

    The first training of each method is compared with the first of each other one, the second with the second, and so
    on: train both from the same base, preferences and seed. A method with one training, such as the base itself, has
    numbers whose intervals cover problems only, and no differences.

    Args:
        methods: The methods and their runs.
        metrics: The numbers, such as `hard`; by default all of the benchmark but single cells.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.

    Raises:
        RunError: If methods have different numbers of trainings, or the runs do not belong together.
    """
    check_rule(rule)
    _check(methods)
    taking = [_scored(own.variant, only_folder(run)) for own in methods for run in own.runs]
    runs = [one.run for one in taking]
    for run in runs[1:]:
        if run.benchmark.card.id != runs[0].benchmark.card.id:
            raise RunError(f"{runs[0].folder} and {run.folder} are of two benchmarks: give runs of one benchmark")
    own = rule_of(runs, rule)
    evidence, shared, notes = shared_evidence(runs, [one.evidence for one in taking], own)
    table = runs[0].items.take(shared).table
    seen = [runs[0].benchmark.outcomes(table, one, own) for one in evidence]
    paired = PairedOutcomes.of(seen)
    wanted = _wanted(composition_of(runs[0].benchmark, paired.counts), metrics)
    if not wanted:
        raise RunError(f"{runs[0].benchmark.card.id} has no number {', '.join(metrics)} on these items")
    values = _values(seen, wanted, np.unique(table.cluster, return_inverse=True)[1])
    sizes = [len(one.runs) for one in methods]
    starts = np.cumsum([0, *sizes])
    of_method = {
        method.name: {measure: own[:, start : start + size] for measure, own in values.items()}
        for method, start, size in zip(methods, starts, sizes, strict=False)
    }
    return TrainingsComparison(
        runs[0].benchmark.card.id,
        own.name,
        tuple(one.name for one in methods),
        tuple(
            tuple(run.folder for run in runs[start : start + size]) for start, size in zip(starts, sizes, strict=False)
        ),
        len(table),
        int(table.cluster.max()) + 1,
        tuple(
            MethodNumber(name, *measure, _bounded(trainings_mean(own), measure), tuple(own.mean(axis=0).tolist()))
            for name, found in of_method.items()
            for measure, own in found.items()
        ),
        tuple(_differences({name: of_method[name] for name, size in zip(of_method, sizes, strict=True) if size > 1})),
        (*notes, *_notes(runs[0].benchmark.card.id, seen, wanted)),
        data_text(runs[0].manifest),
    )


def _check(methods: Sequence[Trainings]) -> None:
    if not methods:
        raise RunError("`methods` is empty: give at least one method with its runs")
    names = [one.name for one in methods]
    if len(set(names)) < len(names):
        raise RunError(f"`methods` has a name twice: {', '.join(names)}: give different names")
    for one in methods:
        if not one.runs:
            raise RunError(f"`methods` has no runs for {one.name}: give one run for each training")
    sizes = {len(one.runs) for one in methods} - {1}
    if len(sizes) > 1:
        counts = ", ".join(f"{one.name} {len(one.runs)}" for one in methods)
        raise RunError(f"methods have different numbers of trainings ({counts}): give as many runs of each method")


def _scored(variant: str | None, folder: Path) -> ScoredRun:
    run = read_scored(folder)
    chosen = run.variant(variant)
    return ScoredRun(run, chosen, run.evidence(chosen))


def _wanted(composition: Composition, metrics: Sequence[str]) -> Composition:
    """Return the compositions of the numbers, with means over the domains where there is no number for all of them."""
    own = {
        measure: shares
        for measure, shares in composition.items()
        if (measure[0] in metrics if metrics else not measure[0].startswith("cell:"))
    }
    for metric in dict.fromkeys(metric for metric, _ in own):
        scopes = [scope for name, scope in own if name == metric]
        if "all" not in scopes and len(parts := whole_domains(scopes)) > 1:
            own[metric, DOMAINS] = mixed([(1 / len(parts), own[metric, scope]) for scope in parts])
    return own


def whole_domains(scopes: Iterable[str]) -> list[str]:
    """Return the scopes that are no parts of others: a part, such as `safety-refuse`, is named after its domain."""
    there = list(dict.fromkeys(scopes))
    return [one for one in there if not any(one.startswith(f"{other}-") for other in there)]


def _values(seen: Sequence[Outcomes], wanted: Composition, cluster: Any) -> dict[Measure, FloatArray]:
    """Return each number's values, float64[problems with comparisons, runs]; the mean of a column is the number."""
    problems = int(cluster.max()) + 1
    found = {}
    for measure, shares in wanted.items():
        columns = [linearise(one, shares).of_units(cluster[one.item], problems) for one in seen]
        values = np.stack(columns, axis=1)
        found[measure] = values[~np.isnan(values).any(axis=1)]
    return found


def _bounded(mean: TrainingsMean, measure: Measure) -> TrainingsMean:
    """Limit the interval of an accuracy to 0 and 1; a gap is between -1 and 1."""
    if mean.ci is None:
        return mean
    least = -1.0 if measure[0].endswith("gap") else 0.0
    ends = (max(least, mean.ci[0]), min(1.0, mean.ci[1]))
    found = asdict(mean) | {"ci": ends, "p": math.nan, "mde": math.nan}
    return TrainingsMean(**found)


def _differences(of_method: Mapping[str, Mapping[Measure, FloatArray]]) -> Iterator[MethodDifference]:
    rows = [
        (first, second, measure, of_method[first][measure] - of_method[second][measure])
        for first, second in combinations(of_method, 2)
        for measure in of_method[first]
        if measure[1] in ("all", DOMAINS) or len({scope for _, scope in of_method[first]}) == 1
    ]
    means = [trainings_mean(own) for *_, own in rows]
    known = np.array([one.p for one in means])
    corrected = np.full(len(known), math.nan)
    corrected[~np.isnan(known)] = holm(known[~np.isnan(known)])
    for (first, second, measure, own), mean, p in zip(rows, means, corrected.tolist(), strict=True):
        yield MethodDifference(first, second, *measure, mean, tuple(own.mean(axis=0).tolist()), p)


def _notes(benchmark: str, seen: Sequence[Outcomes], wanted: Composition) -> Iterator[str]:
    ties = sum(int(one.tied.sum()) for one in seen)
    failed = sum(int(one.failed.sum()) for one in seen)
    total = sum(len(one.credit) for one in seen)
    if ties or failed:
        yield f"{count_of(ties, 'tie')} and {count_of(failed, 'comparison')} without a score, of {total:,}"
    if any(scope == DOMAINS for _, scope in wanted):
        names = ", ".join(whole_domains(scope for _, scope in wanted if scope != DOMAINS))
        yield f"domains: the mean of {names}, since {benchmark} has other domains too and no number without them"


def _row(one: MethodNumber | MethodDifference) -> dict[str, Any]:
    names = (
        {"method": one.method, "versus": None}
        if isinstance(one, MethodNumber)
        else {"method": one.first, "versus": one.second}
    )
    low, high = one.mean.ci or (math.nan, math.nan)
    return {
        **names,
        "metric": one.metric,
        "scope": one.scope,
        "value": one.mean.value,
        "ci_low": low,
        "ci_high": high,
        "error": one.mean.error,
        "error_of_trainings": one.mean.error_of_trainings,
        "error_of_problems": one.mean.error_of_problems,
        "p": one.mean.p,
        "p_holm": math.nan if isinstance(one, MethodNumber) else one.p_holm,
        "mde": one.mean.mde,
    }
