"""How well reviewers agree: the share of equal verdicts, and Cohen's kappa with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from rmeval.build.records import Record
from rmeval.build.review.questions import VERDICTS, Question
from rmeval.build.review.standing import Reviews
from rmeval.metrics.stats.agreement import cohen

__all__ = ["agreement_facts"]

_GROUPS: dict[str, tuple[Question, ...]] = {"responses": ("chosen", "rejected"), "styles": ("styles",)}
"""Questions that are counted together. Whether styles keep the substance is nearly always `correct`, which would
hide how well reviewers agree about responses."""


def agreement_facts(records: Sequence[Record], reviews: Reviews) -> list[dict[str, Any]]:
    """Return the agreement of each pair of reviewers, of all domains and of each.

    A unit is one question about one item that both have judged; adjudications do not count. The interval resamples
    items.

    Args:
        records: The records of the stage.
        reviews: The verdicts.

    Returns:
        For each pair, group of questions and domain (None for all) with at least one unit: `reviewers`, `questions`,
        `domain`, `units`, `equal` (share of equal verdicts), `kappa` and its `interval`, which are None where they
        are not defined, as for verdicts that are all equal.
    """
    standings = [(record, reviews.standings(record)) for record in records]
    found: dict[tuple[str, str, str, str | None], list[tuple[int, int, int]]] = {}
    for place, (record, own) in enumerate(standings):
        for group, questions in _GROUPS.items():
            asked = [own[question].reviews for question in questions if question in own]
            for by_name in asked:
                for one, other in combinations(sorted(by_name), 2):
                    codes = VERDICTS.index(by_name[one].verdict), VERDICTS.index(by_name[other].verdict)
                    for domain in (None, record.problem.domain):
                        found.setdefault((one, other, group, domain), []).append((*codes, place))
    return list(_rows(found))


def _rows(found: dict[tuple[str, str, str, str | None], list[tuple[int, int, int]]]) -> Iterator[dict[str, Any]]:
    for (one, other, group, domain), units in sorted(found.items(), key=lambda own: (*own[0][:3], own[0][3] or "")):
        first, second, items = (np.array(column) for column in zip(*units, strict=True))
        kappa = cohen(first.astype(float), second.astype(float), items)
        yield {
            "reviewers": [one, other],
            "questions": group,
            "domain": domain,
            "units": len(units),
            "equal": float(np.mean(first == second)),
            "kappa": None if math.isnan(kappa.value) else kappa.value,
            "interval": None if kappa.ci is None or any(map(math.isnan, kappa.ci)) else list(kappa.ci),
        }
