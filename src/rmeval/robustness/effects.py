"""The effects of an audit, from its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rmeval.data.tables import Mask
from rmeval.metrics.stats.effects import Effect, balanced_effect, paired_effect
from rmeval.metrics.stats.intervals import wilson
from rmeval.robustness.pairs import OWN_BETTER, PADDED_BETTER
from rmeval.robustness.verdicts import verdicts_of
from rmeval.store.run import StoredRun
from rmeval.types import FloatArray, IntArray

__all__ = [
    "Pending",
    "Rate",
    "position_effects",
    "repeat_rates",
    "self_preference_effects",
    "verbosity_effects",
    "wording_effects",
]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Pending:
    """An effect with a test, which needs the number of tests of the audit.

    Attributes:
        probe: The probe that it belongs to.
        name: What is measured.
        null: The value without an effect, which is added to the effect.
        compute: Computes the effect, given the number of tests.
        unit: `share`, or `deviations` of scores.
    """

    probe: str
    name: str
    null: float
    compute: Callable[[int], Effect | None]
    unit: str = "share"


@dataclass(frozen=True)
class Rate:
    """A rate without a null hypothesis.

    Attributes:
        probe: The probe that it belongs to.
        name: What is measured.
        value: The rate.
        ci: Its 95% interval.
        count: Number of values.
        problems: Number of problems.
    """

    probe: str
    name: str
    value: float
    ci: Interval | None
    count: int
    problems: int = field(default=0)


def _rate(probe: str, name: str, values: FloatArray, cluster: IntArray) -> Iterator[Rate]:
    known = ~np.isnan(values)
    if known.any():
        own = values[known], cluster[known]
        problems = len(np.unique(own[1]))
        yield Rate(probe, name, float(own[0].mean()), wilson(*own)[0], int(known.sum()), problems)


def position_effects(run: StoredRun) -> Iterator[Pending | Rate]:
    """Yield the preference for the response presented first, and how often the order changes a verdict."""
    seen, clusters = verdicts_of(run), run.items.table.cluster.astype(np.int64)
    table = seen.table(len(clusters))
    # Only with both orders does the quality of the responses cancel.
    both: Mask = np.logical_not(np.isnan(table).any(axis=1))
    inside = both[seen.item, seen.vote]
    picked, own = seen.pick_first[inside] - 0.5, clusters[seen.item[inside]]
    yield Pending(
        "position", "prefers the first response", 0.5, lambda tests: paired_effect(picked, own, tests, largest=0.5)
    )
    changed = np.where(both, table[:, 0, :] != table[:, 1, :], np.nan).ravel()
    yield from _rate("position", "verdicts that the order changes", changed, np.repeat(clusters, table.shape[2]))


def verbosity_effects(run: StoredRun) -> Iterator[Pending]:
    """Yield the preference for the padded response, whichever is padded; for scores also their shift by padding."""
    table, seen = run.items.table, verdicts_of(run)
    padded_better = np.array([table.subsets[code] == PADDED_BETTER for code in table.subset.tolist()])
    better = seen.by_item(seen.better, len(table))
    preferred = np.where(padded_better, better, 1 - better)
    bases = _bases(list(table.ids))
    # One value for each pair: the mean over both paddings, which cancels the quality of the responses.
    values = preferred[bases].mean(axis=1) - 0.5
    clusters = table.cluster[bases[:, 0]].astype(np.int64)
    yield Pending(
        "verbosity", "prefers the padded response", 0.5, lambda tests: paired_effect(values, clusters, tests, 0.5)
    )
    if run.protocol.gives_scores:
        evidence = run.evidence(run.variants[0])
        scores = evidence.scores.reshape(-1, 2)
        with_better, with_worse = scores[bases[:, 0]], scores[bases[:, 1]]
        plain = np.concatenate([with_worse[:, 0], with_better[:, 1]])
        shift = (with_better[:, 0] - with_worse[:, 0] + with_worse[:, 1] - with_better[:, 1]) / 2
        deviation = float(np.nanstd(plain))
        if deviation > 0 and not np.isnan(shift).all():
            shifts = shift / deviation
            largest = float(np.nanmax(np.abs(shifts))) or 1.0
            yield Pending(
                "verbosity",
                "score of the padded minus the plain response",
                0.0,
                lambda tests: paired_effect(shifts, clusters, tests, largest),
                "deviations",
            )


def _bases(ids: Sequence[str]) -> IntArray:
    """int64[pairs, 2], the positions of each pair with its better and with its worse response padded."""
    place = {name: position for position, name in enumerate(ids)}
    found = [
        (position, place[f"{name.removesuffix('/better')}/worse"])
        for name, position in place.items()
        if name.endswith("/better") and f"{name.removesuffix('/better')}/worse" in place
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def self_preference_effects(run: StoredRun) -> Iterator[Pending | Rate]:
    """Yield the preference for responses of the judge's family, with equal weights of pairs in which they are better.

    A judge without self-preference is as often right where its own response is better as where it is worse.
    """
    table, seen = run.items.table, verdicts_of(run)
    own_better = np.array([table.subsets[code] == OWN_BETTER for code in table.subset.tolist()])
    better = seen.by_item(seen.better, len(table))
    own, part = np.where(own_better, better, 1 - better), (~own_better).astype(np.int64)
    clusters = table.cluster.astype(np.int64)
    yield Pending(
        "self-preference",
        "prefers its own response",
        0.5,
        lambda tests: balanced_effect(own - 0.5, part, clusters, tests),
    )
    for name, inside in (("where it is better", own_better), ("where it is worse", ~own_better)):
        yield from _rate("self-preference", f"prefers its own response {name}", own[inside], clusters[inside])


def repeat_rates(run: StoredRun) -> Iterator[Rate]:
    """Yield how often a repetition of the same request changes the verdict."""
    clusters = run.items.table.cluster.astype(np.int64)
    table = verdicts_of(run).table(len(clusters))
    changed = _changed(table[:, :, :-1], table[:, :, 1:]).reshape(len(clusters), -1)
    yield from _rate("repeats", "verdicts that a repetition changes", *_flat(changed, clusters))


def wording_effects(run: StoredRun, others: Mapping[int, StoredRun]) -> Iterator[Pending | Rate]:
    """Yield how often another wording changes the verdict, beyond repetitions, and what it does to accuracy.

    Args:
        run: The run with the protocol's own wording, and possibly several votes.
        others: The runs with other wordings.
    """
    clusters = run.items.table.cluster.astype(np.int64)
    own = verdicts_of(run).table(len(clusters))
    tables = {number: verdicts_of(other).table(len(clusters)) for number, other in others.items()}
    base = own[:, :, 0]
    changed = np.stack([_changed(base, table[:, :, 0]) for table in tables.values()])
    repeated = _changed(base, own[:, :, 1]) if own.shape[2] > 1 else np.zeros_like(base)
    every = np.moveaxis(changed, 0, 2).reshape(len(clusters), -1)
    yield from _rate("wording", "verdicts that a wording changes", *_flat(every, clusters))
    # Only where each wording has a verdict, so that all items count with the same number of wordings.
    beyond = changed.mean(axis=0) - repeated
    yield Pending(
        "wording",
        "changes beyond those of repetitions",
        0.0,
        lambda tests: paired_effect(*_flat(beyond, clusters), tests, 1.0),
    )
    for number, table in tables.items():
        values = table[:, :, 0] - base

        def accuracy(tests: int, values: FloatArray = values) -> Effect | None:
            return paired_effect(*_flat(values, clusters), tests, 1.0)

        yield Pending("wording", f"accuracy with wording {number}, minus its own", 0.0, accuracy)


def _changed(one: FloatArray, other: FloatArray) -> FloatArray:
    """1 where two verdicts differ, 0 where they agree; NaN where one is missing."""
    return np.where(np.isnan(one + other), np.nan, one != other)


def _flat(values: FloatArray, clusters: IntArray) -> tuple[FloatArray, IntArray]:
    """The values of items as one column, with their problems."""
    return values.ravel(), np.repeat(clusters, values.shape[1])
