"""Computes the curves of best-of-N from candidates: every number on the same prompts, with clustered intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Mask
from rmeval.errors import RunError
from rmeval.messages import count_of, shortened
from rmeval.metrics.outcomes import SHARED
from rmeval.metrics.scoring.aggregates import number_intervals
from rmeval.metrics.scoring.best_of_n import LARGEST_QUALITY, picks_of, powers_of_two, ragged_curves
from rmeval.metrics.scoring.majority import MOST, SAMPLES, majority_curves, voting_weights, weighted_majority_curves
from rmeval.metrics.stats.bootstrap import bootstrap_interval, bootstrap_means, bootstrap_random
from rmeval.metrics.stats.overoptimisation import decline, divergence, fit_matrix, peak_of
from rmeval.metrics.stats.paired import Difference, PairedOutcomes, compare
from rmeval.metrics.stats.significance import LEVEL
from rmeval.predict.candidate_set import CandidateSet
from rmeval.predict.curves import BestOfNCurves, CurvePoint, Interval, Kind, Overoptimisation, Picker, quality_text
from rmeval.types import FloatArray, ScoreRule

__all__ = ["best_of_n_curves"]

_SMALL = 1e-9


def best_of_n_curves(
    candidates: CandidateSet,
    *,
    at: Sequence[int] | None = None,
    max_n: int | None = None,
    rule: ScoreRule = SHARED,
    quality: str = "gold",
) -> BestOfNCurves:
    """Compute the expected quality of the pick among n responses for every reward model and for baselines.

    Args:
        candidates: The prompts with responses, qualities and scores.
        at: The numbers n; by default powers of two up to the largest, and the largest.
        max_n: The largest n; by default the smallest number of responses of a prompt. Prompts with fewer responses are
            left out of all numbers.
        rule: The score rule; if it excludes failures, prompts with a missing score are left out.
        quality: What quality is, for the reader.

    Raises:
        RunError: If no prompt is left, or `at` or `max_n` does not fit the candidates.
    """
    kept, notes = _usable(candidates, rule)
    numbers, kept, more = _numbers(kept, at, max_n)
    kept, unscored = _with_scores(kept)
    return _Computing(kept, numbers, quality).found([*candidates.notes, *notes, *more, *unscored])


def _usable(given: CandidateSet, rule: ScoreRule) -> tuple[CandidateSet, list[str]]:
    """Return the prompts whose responses all have a quality (and under some rules a score), and notes on the others.

    Raises:
        RunError: If there are none.
    """
    notes = []
    keep = _without(given, np.isnan(given.quality))
    if not keep.any():
        raise RunError(
            f"{given.source} has no prompt whose responses all have a known quality: verify them with rmeval "
            "candidates, or, for runs, give `gold`, the run whose scores are the quality"
        )
    if (largest := float(np.abs(given.quality[~np.isnan(given.quality)]).max())) > LARGEST_QUALITY:
        raise RunError(
            f"{given.source} has the quality {largest:g}: give numbers between -{LARGEST_QUALITY:g} and "
            f"{LARGEST_QUALITY:g}, whose squares can be computed"
        )
    if lost := int((~keep).sum()):
        notes.append(
            f"{count_of(lost, 'prompt')} of {len(given)} left out, because the quality of a response is not known"
        )
    if rule.failure == "exclude" and given.scores:
        scored = _without(given, np.isnan(np.sum(list(given.scores.values()), axis=0)))
        if lost := int((keep & ~scored).sum()):
            notes.append(f"{count_of(lost, 'prompt')} left out, because a score is missing ({rule.name})")
        keep &= scored
        if not keep.any():
            raise RunError(f"{given.source} has no prompt with all scores: choose another `rule` than {rule.name}")
    return given.take(keep), notes


def _with_scores(given: CandidateSet) -> tuple[CandidateSet, list[str]]:
    """Return the candidates without reward models that have no score, and a note on these.

    Otherwise such a model would get the quality of the worst responses, as if it had failed on each.

    Raises:
        RunError: If no reward model has a score.
    """
    lost = [name for name, scores in given.scores.items() if np.isnan(scores).all()]
    if not lost:
        return given, []
    if len(lost) == len(given.scores):
        raise RunError(
            f"{given.source} has no score of {shortened(', '.join(lost))}: add the scores, or the file of them"
        )
    kept = {name: scores for name, scores in given.scores.items() if name not in lost}
    return replace(given, scores=kept), [
        f"{name} is left out, because it has no score of these prompts" for name in lost
    ]


def _without(given: CandidateSet, bad: Mask) -> Mask:
    """Return the prompts without any of these responses, bool[prompts]."""
    found: Mask = np.bincount(given.owner, bad, len(given)) == 0
    return found


def _numbers(
    given: CandidateSet, at: Sequence[int] | None, max_n: int | None
) -> tuple[list[int], CandidateSet, list[str]]:
    """Return the numbers n, the prompts with enough responses, and notes.

    Raises:
        RunError: If the numbers do not fit the candidates.
    """
    least, largest = int(given.sizes.min()), int(given.sizes.max())
    if given.picks:
        return _only_all(given, at, max_n)
    if at is not None and (not at or any(number < 1 for number in at)):
        raise RunError("`at` must be numbers of responses from 1, such as 1,2,4")
    most = max_n if max_n is not None else max(at) if at else least
    if at and max(at) > most:
        raise RunError(f"`at` {max(at)} is larger than `max_n` {most}: leave one of them out")
    if most > largest or most < 1:
        raise RunError(
            f"no prompt has {most} responses: they have {f'{least} to ' if least < largest else ''}{largest}"
        )
    if largest < 2:
        raise RunError(f"every prompt of {given.source} has one response: best-of-N needs two or more")
    if most < 2 and at:
        raise RunError("`at` 1 leaves nothing to pick from: give larger numbers too, such as 1,2,4")
    if most < 2:
        raise RunError(
            f"a prompt has only {count_of(least, 'response')}, so that there is nothing to pick from: give `max_n`, "
            f"such as {min(largest, max(2, int(np.median(given.sizes))))}, to leave out prompts with fewer"
        )
    enough = given.sizes >= most
    notes = []
    if lost := int((~enough).sum()):
        notes.append(f"{count_of(lost, 'prompt')} of {len(given)} left out, with fewer than {most} responses")
    elif most < largest:
        notes.append(f"prompts have {least} to {largest} responses: all subsets of up to {most} of them are used")
    return sorted(set(at)) if at else powers_of_two(most), given.take(enough), notes


def _only_all(
    given: CandidateSet, at: Sequence[int] | None, max_n: int | None
) -> tuple[list[int], CandidateSet, list[str]]:
    """Return the number of all responses, the only one at which picks are known.

    Raises:
        RunError: If prompts have different numbers of responses, or other numbers are wanted.
    """
    size = int(given.sizes[0])
    wanted = {*(at or ()), *([max_n] if max_n else ())} - {size}
    if wanted or (given.sizes != size).any():
        raise RunError(
            f"only the picks of {shortened(', '.join(given.picks))} among all responses are known, so n must be their "
            "number, which all prompts need to share: leave out `at` and `max_n`, or the files of picks"
        )
    return (
        [size],
        given,
        [f"n is {size} only: the files have the picks of {shortened(', '.join(given.picks))}, no scores"],
    )


class _Curve(NamedTuple):
    """A picker and its quality by prompt and n."""

    name: str
    kind: Kind
    values: FloatArray


class _Computing:
    """The curves of all pickers on the same prompts and the same resamples."""

    def __init__(self, given: CandidateSet, numbers: Sequence[int], quality: str) -> None:
        self._given, self._numbers, self._quality = given, list(numbers), quality
        self._cluster = np.unique(given.cluster, return_inverse=True)[1]
        self._clusters = int(self._cluster.max()) + 1
        self._proportion = bool(given.quality.min() >= 0 and given.quality.max() <= 1)
        self._curves = list(self._all())
        every = np.concatenate([one.values for one in self._curves], axis=1)
        drawn = bootstrap_means(every, self._cluster, bootstrap_random())
        width = len(self._numbers)
        self._drawn = [drawn[:, k * width : (k + 1) * width] for k in range(len(self._curves))]

    def _all(self) -> Iterator[_Curve]:
        given, numbers = self._given, self._numbers
        for name, scores in given.scores.items():
            yield _Curve(name, "model", ragged_curves(scores, given.quality, given.offsets, numbers))
        even = np.zeros(len(given.quality))
        yield _Curve("random", "random", ragged_curves(even, given.quality, given.offsets, numbers))
        if given.groups is not None and (given.groups >= 0).any() and given.sizes.max() <= MOST:
            votes = given.groups, given.quality, given.offsets, numbers
            yield _Curve("majority vote", "majority", majority_curves(*votes))
            for name, scores in given.scores.items():
                yield _Curve(name, "weighted", weighted_majority_curves(voting_weights(scores), *votes))
        yield _Curve("oracle", "oracle", ragged_curves(given.quality, given.quality, given.offsets, numbers))

    def found(self, notes: Sequence[str]) -> BestOfNCurves:
        """Return the result."""
        given = self._given
        names = list(dict.fromkeys(given.subset))
        subsets = tuple((name, given.subset.count(name)) for name in names) if len(names) > 1 else ()
        spread = self._intervals()
        pickers = tuple(
            self._picker(place, curve, spread[place], [name for name, _ in subsets])
            for place, curve in enumerate(self._curves)
        )
        return BestOfNCurves(
            given.source,
            self._quality,
            tuple(self._numbers),
            len(given),
            self._clusters,
            len(given.quality),
            (int(given.sizes.min()), int(given.sizes.max())),
            self._proportion,
            subsets,
            pickers,
            tuple(self._differences()),
            (*notes, *self._remarks(pickers)),
            given,
        )

    def _paired(self, curves: Sequence[_Curve], columns: Sequence[int]) -> PairedOutcomes:
        """Return the qualities at some n as comparisons that the pickers have in common."""
        prompts = np.arange(len(self._given), dtype=np.int32)
        return PairedOutcomes(
            np.stack([curve.values[:, list(columns)].T.ravel() for curve in curves]),
            np.repeat(np.arange(len(columns), dtype=np.int32), len(prompts)),
            tuple(("all", f"best-of-{self._numbers[column]}") for column in columns),
            np.tile(prompts, len(columns)),
            np.tile(self._cluster.astype(np.int32), len(columns)),
        )

    def _intervals(self) -> list[list[Interval | None]]:
        """Return the interval of each picker at each n, by the method of accuracies."""
        found = []
        for curve in self._curves:
            paired = self._paired([curve], range(len(self._numbers)))
            numbers = {(tag, "all"): {(subset, tag): 1.0} for subset, tag in paired.parts}
            found.append([own for own, _ in number_intervals(paired, numbers).values()])
        return found

    def _differences(self) -> list[Difference]:
        """Compare reward models, majority vote and a random pick at the largest n."""
        kinds: tuple[Kind, ...] = ("model", "majority", "random")
        curves = [one for kind in kinds for one in self._curves if one.kind == kind]
        if len(curves) < 2:
            return []
        paired = self._paired(curves, [len(self._numbers) - 1])
        measure = f"best_of_{self._numbers[-1]}", "all"
        return compare(paired, [one.name for one in curves], {measure: {paired.parts[0]: 1.0}}, [[measure]])[measure]

    def _place(self, kind: Kind) -> int:
        return next(place for place, one in enumerate(self._curves) if one.kind == kind)

    def _picker(self, place: int, curve: _Curve, spread: Sequence[Interval | None], subsets: Sequence[str]) -> Picker:
        means = curve.values.mean(axis=0)
        scores = self._given.scores[curve.name] if curve.kind == "model" else None
        proxy = np.full(len(self._numbers), np.nan) if scores is None else self._proxy(scores)
        share, share_ci = self._share(place)
        found = Picker(
            curve.name,
            curve.kind,
            tuple(
                CurvePoint(n, divergence(n), float(mean), ci, round(float(own), 12) + 0.0)
                for n, mean, ci, own in zip(self._numbers, means, spread, proxy, strict=True)
            ),
            share,
            share_ci,
            by_subset=tuple(
                float(curve.values[[one == name for one in self._given.subset], -1].mean()) for name in subsets
            ),
        )
        if scores is None:
            return found
        picks = picks_of(scores, self._given.quality, self._given.offsets)
        return replace(
            found,
            best_picked=float(picks.best.mean()),
            tied=int(picks.tied.sum()),
            missing=int(picks.missing.sum()),
            overoptimisation=self._overoptimisation(place, curve),
        )

    def _proxy(self, scores: FloatArray) -> FloatArray:
        """Return the expected score of the pick at each n, in standard deviations within prompts."""
        owner = self._given.owner
        known = np.isfinite(scores)
        largest = float(np.abs(scores[known]).max(initial=0.0))
        if not largest:
            return np.zeros(len(self._numbers))
        # Squares of the scores themselves may be too large for a float.
        scores = scores / largest
        count = np.bincount(owner, known, len(self._given))
        mean = np.bincount(owner, np.where(known, scores, 0.0), len(self._given)) / np.maximum(count, 1)
        apart = np.where(known, scores - mean[owner], 0.0)
        deviation = math.sqrt(float(np.square(apart).sum()) / max(int(known.sum()), 1))
        if deviation < _SMALL:
            return np.zeros(len(self._numbers))
        found: FloatArray = ragged_curves(scores, apart / deviation, self._given.offsets, self._numbers).mean(axis=0)
        return found

    def _share(self, place: int) -> tuple[float, Interval | None]:
        """Return the share of the possible gain at the largest n, and its interval."""
        ends = [self._curves[k].values[:, -1].mean() for k in (place, self._place("random"), self._place("oracle"))]
        if ends[2] - ends[1] < _SMALL:
            return math.nan, None
        own, random, oracle = (self._drawn[k][:, -1] for k in (place, self._place("random"), self._place("oracle")))
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.where(oracle - random > _SMALL, (own - random) / (oracle - random), np.nan)
        share = float((ends[0] - ends[1]) / (ends[2] - ends[1]))
        return share, bootstrap_interval(share, spread, self._clusters, proportion=False)[0]

    def _overoptimisation(self, place: int, curve: _Curve) -> Overoptimisation | None:
        """Return the fit of the gain and the test of a decline; None with fewer than two n above 1."""
        if sum(number > 1 for number in self._numbers) < 2:
            return None
        fit, random = fit_matrix(self._numbers), self._place("random")
        means, drawn = curve.values.mean(axis=0), self._drawn[place]
        alpha, beta = (fit @ (means - self._curves[random].values.mean(axis=0))).tolist()
        spread = (drawn - self._drawn[random]) @ fit.T
        ends = [
            bootstrap_interval(value, spread[:, k], self._clusters, proportion=False)[0]
            for k, value in enumerate((alpha, beta))
        ]
        falls = decline(means, drawn, self._clusters)
        peak, most = self._numbers[falls.peak], self._numbers[-1]
        high, low = (quality_text(float(value), self._proportion) for value in (means[falls.peak], means[-1]))
        if not math.isnan(falls.p) and falls.p < LEVEL:
            says = f"quality falls from {high} at n = {peak} to {low} at n = {most} (p = {falls.p:.2g})"
        elif np.ptp(means) <= _SMALL * np.abs(means).max():
            says = f"quality is the same at every n up to {most}"
        elif falls.drop <= _SMALL * np.abs(means).max():
            says = f"quality is highest at n = {most}: no over-optimisation is seen up to there"
        else:
            tested = "tested" if math.isnan(falls.p) else f"significant, p = {falls.p:.2g}"
            says = f"highest at n = {peak}, but a fall from {high} to {low} at n = {most} is not {tested}"
        return Overoptimisation(
            alpha, ends[0], beta, ends[1], peak_of(alpha, beta, most), peak, falls.drop, falls.low, falls.p, says
        )

    def _remarks(self, pickers: Sequence[Picker]) -> Iterator[str]:
        given = self._given
        if given.groups is None:
            yield "no majority vote, because final answers are not known (the column `answers` of the candidates)"
        elif given.sizes.max() > MOST:
            yield f"no majority vote, because a prompt has more than {MOST} responses"
        elif silent := int((given.groups < 0).sum()):
            yield f"{count_of(silent, 'response')} of {len(given.groups)} without a final answer, and so without a vote"
        most = max(math.comb(int(given.sizes.max()), number) for number in self._numbers)
        if any(one.kind == "weighted" for one in pickers) and most > SAMPLES:
            yield (
                f"weighted votes are means over {SAMPLES} subsets of each prompt (seed 0) where there are more; all "
                "other numbers are over all subsets"
            )
        for one in pickers:
            if one.missing:
                yield (
                    f"{one.name}: {count_of(one.missing, 'missing score')}, never the highest; a prompt without any "
                    "score counts as its worst response"
                )
            if one.tied:
                yield (
                    f"{one.name}: in {count_of(one.tied, 'prompt')} responses of different quality share the highest "
                    "score, and each counts equally"
                )
        if self._clusters < len(given):
            yield f"{len(given)} prompts of {self._clusters} problems, which intervals and tests resample as wholes"
