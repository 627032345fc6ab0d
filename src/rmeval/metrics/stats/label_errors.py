"""Label errors: the highest accuracy that they allow, and the accuracy on labels without errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rmeval.metrics.composition import Measure, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.intervals import combined_interval, wilson
from rmeval.metrics.stats.linearised import Linearised, linearise
from rmeval.types import FloatArray

__all__ = ["Corrected", "LabelErrors", "correct", "errors_of_agreement", "errors_of_counts", "opposite"]

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LabelErrors:
    """The share of labels that are wrong.

    Attributes:
        rate: The share, below one half.
        ci: Its 95% interval; None if the counts that it comes from are not known.
    """

    rate: float
    ci: Interval | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """A number, and its value on labels without errors.

    Attributes:
        measure: Metric and scope.
        observed: The number.
        observed_ci: Its 95% interval.
        errors: The share of wrong labels among the comparisons of the number.
        errors_ci: Its 95% interval, if all comparisons have labels of one kind whose counts are known.
        ceiling: What a model that is always right has in expectation; None for a difference of accuracies.
        value: The corrected number, within its range.
        ci: Its 95% interval.
        outside: Whether the corrected number was outside of its range, and was moved to the nearest end.
    """

    measure: Measure
    observed: float
    observed_ci: Interval | None
    errors: float
    errors_ci: Interval | None
    ceiling: float | None
    value: float
    ci: Interval | None
    outside: bool


def _rate(agreement: float) -> float:
    return (1 - math.sqrt(max(0.0, 2 * agreement - 1))) / 2


def errors_of_agreement(agreement: float, pairs: int | None = None) -> LabelErrors:
    """Compute the share of wrong labels from how often two annotators agree on which of two responses is better.

    If both are wrong with probability e, independently of each other, they agree with probability a = (1 - e)² + e², so
    that e = (1 - sqrt(2a - 1)) / 2.

    Args:
        agreement: The share a.
        pairs: The number of comparisons that both annotated, if it is known; the interval is Wilson's of a.

    Raises:
        ValueError: If they agree in at most one half.
    """
    if not 0.5 < agreement <= 1:
        raise ValueError("at an agreement of one half or less, any label may be wrong, and correction is impossible")
    if pairs is None:
        return LabelErrors(_rate(agreement))
    low, high = _wilson(agreement, pairs)
    return LabelErrors(_rate(agreement), (_rate(high), _rate(low)))


def errors_of_counts(rate: float, checked: int | None = None) -> LabelErrors:
    """Return the share of wrong labels among those that were checked.

    Args:
        rate: The share.
        checked: The number of checked labels, if it is known; the interval is Wilson's.

    Raises:
        ValueError: If one half or more are wrong.
    """
    if not 0 <= rate < 0.5:
        raise ValueError("one half of the labels or more are wrong, and correction is impossible")
    if checked is None:
        return LabelErrors(rate)
    low, high = _wilson(rate, checked)
    return LabelErrors(rate, (low, min(high, 0.5)))


def _wilson(share: float, count: int) -> Interval:
    hits = round(share * count)
    credit: FloatArray = np.repeat([1.0, 0.0], [hits, count - hits])
    return wilson(credit, np.arange(count))[0] or (0.0, 1.0)


def opposite(tag: str, tags: tuple[str, ...]) -> str:
    """Return the tag of a comparison after its label is turned around.

    If the tags are pairs of styles, `concise/detailed_plain` becomes `detailed_plain/concise`; others stay the same.
    """
    first, _, second = tag.partition("/")
    turned = f"{second}/{first}"
    return turned if turned in tags else tag


def correct(
    found: Outcomes,
    measure: Measure,
    shares: Shares,
    errors: Mapping[str, LabelErrors],
    ci: Interval | None,
) -> Corrected:
    """Correct a number for label errors (Rogan and Gladen 1978, American Journal of Epidemiology 107:71).

    Labels are wrong with probability e, whatever the model says of the comparison. A model that prefers the better
    response in a share a and the worse one in a share b of comparisons then wins, according to the labels,
    p = (1 - e) a + e b and loses q = (1 - e) b + e a; so a = ((1 - e) p - e q) / (1 - 2e). With a + b = 1 this is
    (p - e) / (1 - 2e); ties that count as losses are neither in p nor in q. A wrong label turns a comparison of styles
    around: the losses q are then those of the comparisons with `opposite` styles.

    The interval is the one of the number, with its distances from the number multiplied by the ratio of the
    cluster-robust standard errors of corrected and observed number; with the uncertainty of e added by variance
    estimates recovery, see `combined_interval`.

    Args:
        found: The outcomes; all comparisons are of two responses.
        measure: Metric and scope of the number.
        shares: The weight of each kind of comparisons.
        errors: The label errors of each subset of the number.
        ci: The interval of the number.
    """
    own = linearise(found, shares)
    turned = _Turned(found, shares)
    value, part = turned.corrected({subset: one.rate for subset, one in errors.items()})
    interval = None
    if ci is not None:
        before, after = _error(found, own.part), _error(found, part)
        ratio = after / before if before else (value - turned.half) / (own.value - turned.half or 1.0)
        interval = value - ratio * (own.value - ci[0]), value + ratio * (ci[1] - own.value)
        for one in dict.fromkeys(errors.values()):
            if one.ci is not None:
                ends = sorted(turned.moved(errors, one, end) - value for end in one.ci)
                away = min(0.0, ends[0]), max(0.0, ends[1])
                interval = combined_interval((1.0, value, interval), (1.0, 0.0, away))
    total = sum(map(abs, shares.values()))
    used = list({errors[subset] for subset, _ in shares})
    whole = abs(sum(shares.values()) - 1) < 1e-9
    rate = sum(abs(share) * errors[subset].rate for (subset, _), share in shares.items()) / total
    low, high = (0.0, 1.0) if whole else (-1.0, 1.0)
    return Corrected(
        measure,
        own.value,
        ci,
        rate,
        used[0].ci if len(used) == 1 else None,
        1 - rate if whole else None,
        min(high, max(low, value)),
        None if interval is None else (max(low, interval[0]), min(high, interval[1])),
        not low - 1e-9 <= value <= high + 1e-9,
    )


class _Turned:
    """The wins of comparisons, and their losses with the label turned around."""

    def __init__(self, found: Outcomes, shares: Shares) -> None:
        self._found = found
        self._shares = shares
        # A tie or a failure that counts as a loss is one for either label.
        neither = (found.tied | found.failed) & (found.credit == 0)
        self._lost = replace(found, credit=np.where(neither, 0.0, 1 - found.credit))
        self.half = sum(shares.values()) / 2

    def corrected(self, rates: Mapping[str, float]) -> Linearised:
        """Return the number corrected by the rate of each subset."""
        scale = {subset: 1 / (1 - 2 * min(rate, _MOST)) for subset, rate in rates.items()}
        wins = {kind: share * (1 - rates[kind[0]]) * scale[kind[0]] for kind, share in self._shares.items()}
        losses: dict[tuple[str, str], float] = {}
        for (subset, tag), share in self._shares.items():
            kind = subset, opposite(tag, self._found.tags)
            losses[kind] = losses.get(kind, 0.0) + share * rates[subset] * scale[subset]
        won, lost = linearise(self._found, wins), linearise(self._lost, losses)
        return Linearised(won.value - lost.value, np.nan_to_num(won.part) - np.nan_to_num(lost.part))

    def moved(self, errors: Mapping[str, LabelErrors], one: LabelErrors, rate: float) -> float:
        """Return the number corrected with another rate in the subsets that have these errors."""
        return self.corrected({name: rate if own == one else own.rate for name, own in errors.items()}).value


_MOST = 0.5 - 1e-9
"""A rate of one half has no corrected number: near it, the number is far outside of its range."""


def _error(found: Outcomes, part: FloatArray) -> float:
    """Return the cluster-robust standard error of a linearised number."""
    own = np.bincount(found.cluster[found.item], np.nan_to_num(part))
    return math.sqrt(float(np.square(own).sum()))
