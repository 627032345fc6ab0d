"""Differences of two models, made up."""

from __future__ import annotations

import math

from rmeval.metrics.stats.paired import Difference

__all__ = ["difference"]


def difference(first: str, second: str, value: float, p: float) -> Difference:
    """A difference with a p-value."""
    return Difference(
        first=first,
        second=second,
        metric="style_gap",
        scope="all",
        value=value,
        ci=None,
        ci_simultaneous=None,
        ci_method=None,
        p=p,
        p_holm=p,
        p_mcnemar=p,
        p_mcnemar_mid=p,
        discordant=(0, 0),
        superiority=math.nan,
        superiority_ci=None,
        n_items=9,
        n_clusters=9,
        mde=math.nan,
    )
