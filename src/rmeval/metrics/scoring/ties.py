"""RewardBench 2's Ties: several right responses should have similar scores, above those of all wrong responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.composition import Shares
from rmeval.metrics.outcomes import Outcomes, over_readings
from rmeval.types import FloatArray, ScoreRule

__all__ = ["PARTS", "REF", "TIED", "ties_chance", "ties_outcomes", "ties_shares"]

TIED, REF = "tied", "ref"
"""Prompts with several right responses, and the reference of each with a single right response."""
PARTS = {TIED: 0.30, REF: 0.30, "preferred": 0.20, "preferred_hard": 0.20, "margin": 0.01}
"""Weights of the composite's parts (`process_single_model` in `rewardbench/utils.py`)."""


class _Prompt(NamedTuple):
    """An item: its position, the gap from the worst right to the best wrong score, and the spread of right scores.

    Gap and spread are float64[d], for d sets of scores.
    """

    position: int
    gap: FloatArray
    spread: FloatArray


class _Credit(NamedTuple):
    """A credit, float64[d]: the position of its item, its part, and the gap that decides it."""

    position: int
    part: str
    credit: FloatArray
    gap: FloatArray


def ties_outcomes(items: ItemTable, evidence: EvidenceTable, subset: str, rule: ScoreRule) -> Outcomes:
    """Compute the credits of RewardBench 2's Ties composite (Malik et al. 2025, arXiv 2506.01937, section 3.2).

    The definitions are those of `process_single_model` and `_compute_prompt_stats` in `rewardbench/utils.py`. The gap
    is the worst right score minus the best wrong one, the spread is the best right score minus the worst right one:

    * `tied`, `ref`: gap > 0, for a prompt with several right responses and for its reference with one;
    * `preferred`: gap > spread, for each tied prompt with a reference;
    * `preferred_hard`: the smaller of both gaps > spread;
    * `margin`: tanh(smaller gap / spread - 1), and 0 if both are 0.

    Equal scores have no gap under any score rule. A prompt with a missing score counts as failed.

    Args:
        items: The items; items that are judged together have the same `group`.
        evidence: The model's evidence.
        subset: The subset that Ties items have; ids end in `tied:N` or `ref:N`.
        rule: The score rule, for failures.

    Returns:
        Outcomes with one entry per credit, with a tag of `PARTS`; items of other subsets have none.
    """
    if evidence.readings:
        return over_readings(evidence, lambda one: ties_outcomes(items, one, subset, rule))
    rows = list(_credits(items, evidence.scores[None], subset))
    tags = tuple(PARTS)
    gaps: FloatArray = np.concatenate([row.gap for row in rows]) if rows else np.zeros(0)
    credit: FloatArray = np.concatenate([row.credit for row in rows]) if rows else np.zeros(0)
    credit[np.isnan(gaps)] = np.nan if rule.failure == "exclude" else 0.0
    return Outcomes(
        np.array([row.position for row in rows], np.int32),
        np.array([tags.index(row.part) for row in rows], np.int32),
        tags,
        credit,
        gaps == 0,
        np.isnan(gaps),
        items.subset,
        items.subsets,
        items.cluster,
        evidence.variant,
    )


def ties_chance(items: ItemTable, subset: str) -> dict[str, float]:
    """Compute the mean of each part for random scores: 1,000 draws from the normal distribution with a fixed seed.

    Other distributions have other spreads, and thus other values of `preferred`, `preferred_hard` and `margin`.
    """
    own = items.take(np.isin(items.subset, [code for code, name in enumerate(items.subsets) if name == subset]))
    scores = np.random.default_rng(0).standard_normal((1000, int(own.offsets[-1])))
    found: dict[str, list[float]] = {}
    for row in _credits(own, scores, subset):
        found.setdefault(row.part, []).append(float(row.credit.mean()))
    return {part: float(np.mean(own)) for part, own in found.items()}


def _credits(items: ItemTable, scores: FloatArray, subset: str) -> Iterator[_Credit]:
    """Yield the credits of each prompt and pair of prompts, from d sets of scores, float64[d, responses]."""
    prompts: dict[str | None, dict[str, _Prompt]] = {}
    code = items.subsets.index(subset) if subset in items.subsets else -1
    for position in np.flatnonzero(items.subset == code).tolist():
        shape = items.shapes[items.shape[position]]
        right = np.array([(response.gold or 0) > 0 for response in shape.responses])
        own = scores[:, items.offsets[position] : items.offsets[position + 1]]
        kind = items.ids[position].rpartition("/")[2].partition(":")[0]
        # A missing score makes both NaN.
        gap = own[:, right].min(axis=1) - own[:, ~right].max(axis=1)
        prompts.setdefault(shape.group, {})[kind] = _Prompt(position, gap, np.ptp(own[:, right], axis=1) + 0 * gap)
    for group in prompts.values():
        for kind, one in group.items():
            yield _Credit(one.position, kind, (one.gap > 0).astype(float), one.gap)
        if TIED in group and REF in group:
            position, gap, spread = group[TIED]
            least = np.minimum(gap, group[REF].gap)
            yield _Credit(position, "preferred", (gap > spread).astype(float), gap)
            yield _Credit(position, "preferred_hard", (least > spread).astype(float), least)
            yield _Credit(position, "margin", _margin(least, spread), least)


def _margin(gap: FloatArray, spread: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        margin: FloatArray = np.tanh(gap / spread - 1)
    margin[np.isnan(margin)] = 0.0
    return margin


def ties_shares(subset: str) -> Shares:
    """Return the composition of the composite, whose maximum is 1.01."""
    return {(subset, part): weight for part, weight in PARTS.items()}
