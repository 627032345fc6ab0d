"""Notes on correlations: what numbers of so few models do not show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.messages import count_of
from rmeval.metrics.stats.few_models import LEAST_MODELS
from rmeval.metrics.stats.significance import LEVEL
from rmeval.predict.policy_correlation import Correlation

__all__ = ["FEW", "correlation_notes"]

FEW = 6
"""Most correlations for which everything is computed; for more, only the chosen coefficient is tested."""
_MOST_NAMED = 4


def correlation_notes(found: Sequence[Correlation]) -> Iterator[str]:
    """Yield what numbers of so few models do not show."""
    sizes: dict[tuple[int, int], list[Correlation]] = {}
    for one in found:
        sizes.setdefault((len(one.models), len(one.policies)), []).append(one)
    for same in sizes.values():
        best = min(same, key=lambda one: one.least_p)
        yield _power_note(best)
        tied = [one for one in same if best.least_p < LEVEL <= one.least_p]
        yield from _tie_notes(tied)
    fewest = min(len(one.models) for one in found)
    if fewest < LEAST_MODELS:
        yield (
            f"correlations of fewer than {LEAST_MODELS} models have no interval: resampling so few misses large "
            "correlations"
        )
    for one in found if len(found) <= FEW else ():
        yield from _influence_notes(one)
        if one.missing:
            yield f"{one.name}: {', '.join(one.missing)} left out, because a number is missing"


def _tie_notes(tied: Sequence[Correlation]) -> Iterator[str]:
    """Yield a note on correlations that cannot be significant because models have equal numbers."""
    if tied:
        names = ", ".join(f"{one.name} with {', '.join(one.policies)}" for one in tied[:_MOST_NAMED])
        names += f" and {len(tied) - _MOST_NAMED} others" if len(tied) > _MOST_NAMED else ""
        least = min(one.least_p for one in tied)
        yield f"{names}: no p-value below {least:.2g} is possible, because models have equal numbers"


def _power_note(one: Correlation) -> str:
    models, pairs = len(one.models), len(one.policies)
    # With random permutations, the smallest p-value is a matter of their number, and not of the models.
    least = f"with {models} models{f', no p-value below {one.least_p:.2g} is possible' if one.exact else ''}"
    points = f" ({models * pairs} points are {models} models in {pairs} pairs: models are permuted, and not points)"
    least += points if pairs > 1 else ""
    if one.least_p >= LEVEL:
        return f"{least}: no correlation can be significant"
    also = "and " if one.exact else ""
    repeated, independent = (f"{value:.2f}" if value < 0.99 else f"{value:.3f}" for value in one.detectable)
    if pairs == 1:
        return f"{least}, {also}a correlation must be above {repeated} to be found with a power of 80%"
    return (
        f"{least}, {also}a correlation must be above {independent} (if the pairs are independent) to {repeated} (if "
        "they repeat each other) to be found with a power of 80%"
    )


def _influence_notes(one: Correlation) -> Iterator[str]:
    chosen = one.chosen
    for left in one.left_out:
        if left.value * chosen.value < 0:
            yield f"{one.name}: without {left.model}, the sign changes ({left.value:.2f} instead of {chosen.value:.2f})"
    lost = [left for left in one.left_out if chosen.p < LEVEL <= left.p]
    if lost:
        names = ", ".join(left.model for left in lost[:_MOST_NAMED])
        names += f" and {count_of(len(lost) - _MOST_NAMED, 'other')}" if len(lost) > _MOST_NAMED else ""
        yield f"{one.name}: without one of {names}, it is not significant (p up to {max(left.p for left in lost):.2g})"
