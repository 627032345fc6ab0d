"""Tests of equivalence within a margin, for a comparison of runs."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.errors import RunError
from rmeval.messages import count_of, points
from rmeval.metrics.composition import Composition, Measure
from rmeval.metrics.stats.equivalence import Equivalence, equivalences
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.paired import PairedOutcomes

__all__ = ["check_margin", "equivalent_pairs", "margin_notes"]


def check_margin(margin: object) -> None:
    """Raise an error unless a margin is a share above 0 and below 1, or None.

    Raises:
        RunError: If so.
    """
    if margin is None:
        return
    if isinstance(margin, bool) or not isinstance(margin, float | int) or not 0 < margin < 1:
        raise RunError(f"`margin` must be a share above 0 and below 1, such as 0.02 for 2 points, not {margin!r}")


def equivalent_pairs(
    paired: PairedOutcomes,
    names: Sequence[str],
    order: Sequence[int],
    composition: Composition,
    measure: Measure | None,
    margin: float | None,
) -> tuple[Equivalence, ...]:
    """Return the tests of all pairs of models, in the order given; none without a margin or a number to test.

    Args:
        paired: The comparisons.
        names: Name of each model.
        order: Positions of the models, the best first.
        composition: The compositions of the numbers.
        measure: The number that ranks the models.
        margin: The margin, a share.
    """
    if margin is None or measure is None:
        return ()
    weights = paired.shares(composition[measure])
    return tuple(equivalences(paired, names, order, measure, weights, float(margin)))


def margin_notes(found: Sequence[Equivalence], margin: float | None) -> list[str]:
    """Return a note if a margin is given and equivalence cannot be tested."""
    if margin is None:
        return []
    within = f"equivalence within {points(margin)} is not tested"
    if not found:
        return [f"{within}: no number ranks the models"]
    if (problems := found[0].n_clusters) < MIN_CLUSTERS:
        return [f"{within}: {count_of(problems, 'problem')} instead of at least {MIN_CLUSTERS}"]
    return []
