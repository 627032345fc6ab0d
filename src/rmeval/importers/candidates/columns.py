"""Candidates of published files as columns, with notes on what their order and their layout imply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rmeval.importers.candidates.join import Joined
from rmeval.importers.candidates.source import Group
from rmeval.messages import count_of, percent
from rmeval.metrics.scoring.first_of_ties import first_best, first_majority
from rmeval.metrics.stats.correlation import spearman
from rmeval.predict.candidate_set import CandidateSet
from rmeval.types import FloatArray, IntArray

__all__ = ["candidate_set"]


def candidate_set(joined: Joined) -> CandidateSet:
    """Return joined files as columns."""
    groups = joined.base.groups
    every = [kept for group in groups for kept in group.kept]
    offsets = np.concatenate([[0], np.cumsum([len(group.kept) for group in groups])]).astype(np.int64)
    scores = {
        model: np.array([kept.scores.get(model, missing) for kept in every], np.float64)
        for model in joined.models
        for missing in [0.0 if model in joined.picks else np.nan]
    }
    wholes = [kept.whole for kept in every]
    answers = any(group.answers for group in groups)
    found = CandidateSet(
        source=str(joined.base.path),
        ids=tuple(joined.names),
        offsets=offsets,
        quality=np.array([kept.quality for kept in every], np.float64),
        groups=np.array([number for group in groups for number in _groups(group)], np.int64) if answers else None,
        cluster=_clusters(groups, joined.names),
        subset=tuple(group.subset or "all" for group in groups),
        scores=scores,
        picks=tuple(dict.fromkeys(joined.picks)),
        digests=None if None in wholes else tuple(whole for whole in wholes if whole is not None),
    )
    lengths = np.array([kept.length for kept in every], np.float64)
    notes = (*joined.notes, *_order_notes(lengths, offsets), *_reference_notes(found, joined.base.layout.reference))
    return replace(found, notes=notes)


def _groups(group: Group) -> list[int]:
    """Return a number for each answer of a prompt, equal for equal answers, and -1 for no answer."""
    numbers: dict[str, int] = {}
    return [-1 if one.answer is None else numbers.setdefault(one.answer, len(numbers)) for one in group.kept]


def _clusters(groups: list[Group], names: list[str]) -> IntArray:
    """Return the number of each prompt's problem: the stated one, or the prompt with this text."""
    numbers: dict[tuple[str, str], int] = {}
    keys = [
        ("stated", group.cluster) if group.cluster else ("text", group.text) if group.text else ("id", name)
        for group, name in zip(groups, names, strict=True)
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


_FEWEST, _SORTED = 4, 0.5
"""Number of responses of a prompt, and mean rank correlation of length and position, from which a note is given."""


def _order_notes(lengths: FloatArray, offsets: IntArray) -> list[str]:
    """Return a note if responses are sorted by length, as the samples of reward-bench's best-of-16 files are."""
    found: list[float] = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        own = lengths[start:end]
        if len(own) >= _FEWEST and own.min() >= 0 and own.min() < own.max():
            found.append(float(spearman(own, np.arange(len(own), dtype=np.float64))))
    mean = float(np.mean(found)) if found else 0.0
    if abs(mean) < _SORTED:
        return []
    way = "longer" if mean > 0 else "shorter"
    return [
        f"later responses of a prompt are {way} (mean rank correlation of position and length {mean:.2f}): the number "
        "of a response is no random sample, and a rule that takes the first of tied responses depends on length"
    ]


def _reference_notes(found: CandidateSet, reference: str) -> list[str]:
    """Return the numbers of a layout's own evaluation, which treats ties and empty answers in its own way."""
    sizes = set(found.sizes.tolist())
    if not reference or len(sizes) != 1 or np.isnan(found.quality).any():
        return []
    (k,) = sizes
    table = found.quality.reshape(-1, k)
    numbers = [f"mean@{k} {percent(table.mean())}", f"pass@{k} {percent(table.max(axis=1).mean())}"]
    if found.groups is not None:
        numbers.append(f"maj@{k} {percent(first_majority(found.groups, found.quality, found.offsets).mean())}")
    for model, scores in found.scores.items():
        if not np.isnan(scores).any():
            best = first_best(scores, found.quality, found.offsets).mean()
            numbers.append(f"rm@{k} {percent(best)} ({model})")
    return [
        f"{reference}, which takes the first of tied responses and counts empty answers as one answer, gives "
        f"{', '.join(numbers)} for {count_of(len(found), 'prompt')}"
    ]
