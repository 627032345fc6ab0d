"""Counts what a file of candidates contains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmeval.candidates.outcomes import Draft, Found
from rmeval.candidates.summary import CandidateSummary, PassAt
from rmeval.candidates.tasks import Task
from rmeval.metrics.scoring.pass_at import pass_at
from rmeval.metrics.stats.intervals import wilson
from rmeval.types import FloatArray, IntArray

__all__ = ["Written", "summary_of"]

_MOST = 0.9
"""Share of problems that must have k candidates of known quality for pass@k."""


@dataclass(frozen=True, slots=True)
class Written:
    """A problem with its candidates.

    Attributes:
        task: The problem.
        drafts: Its candidates.
        found: What was found of each; None where nothing was verified.
        failed: Number of candidates whose calls failed.
    """

    task: Task
    drafts: Sequence[Draft]
    found: Sequence[Found] | None
    failed: int = 0


def summary_of(
    file: Path,
    writer: str,
    written: Sequence[Written],
    left_out: Mapping[str, int],
    calls: int = 0,
    cost: float | None = None,
    knows_ends: bool = True,
) -> CandidateSummary:
    """Summarise candidates.

    Args:
        file: The file.
        writer: Name of the writer.
        written: Problems with their candidates.
        left_out: Number of problems without candidates, by reason.
        calls: Number of calls of this process.
        cost: Their cost.
        knows_ends: Whether it is known which candidates were cut off.
    """
    every = [one for own in written for one in own.found or ()]
    verified = [own for own in written if own.found is not None]
    n = max((len(one.drafts) for one in written), default=0)
    return CandidateSummary(
        file,
        writer,
        n,
        len(written),
        sum(len(one.drafts) for one in written),
        sum(map(_unknown, written)),
        sum(_unknown(one) > 0 for one in written),
        sum(draft.ended == "cut_off" for own in written for draft in own.drafts) if knows_ends else None,
        dict(Counter(one.outcome for one in every).most_common()),
        tuple(_passes(verified, n)),
        dict(left_out),
        sum(one.failed for one in written),
        calls,
        cost,
    )


def _unknown(written: Written) -> int:
    """Number of candidates whose quality is not known."""
    return len(written.drafts) if written.found is None else sum(one.gold is None for one in written.found)


def _passes(written: Sequence[Written], n: int) -> list[PassAt]:
    """pass@k of all problems, and of the subsets if there are several."""
    if not written:
        return []
    golds = [[one.gold for one in own.found or ()] for own in written]
    right = np.array([sum(one == 1 for one in own) for own in golds])
    known = np.array([sum(one is not None for one in own) for own in golds])
    names = [one.task.cluster or one.task.problem.id for one in written]
    cluster = np.unique(names, return_inverse=True)[1]
    subset = np.array([one.task.subset or "" for one in written])
    # The same problems for each k, so that a difference between two k is not one between problems.
    steps = [k for k in _steps(n) if (known >= k).mean() >= _MOST] or [1]
    kept = known >= steps[-1]
    right, known = right * kept, known * kept
    found = [_pass("all", k, pass_at(right, known, k), cluster) for k in steps]
    several = list(dict.fromkeys(subset.tolist()))
    for name in several if len(several) > 1 else ():
        own = subset == name
        ends = sorted({1, steps[-1]})
        found += [_pass(name or "-", k, pass_at(right[own], known[own], k), cluster[own]) for k in ends]
    return found


def _steps(n: int) -> list[int]:
    """1, 2, 4 and so on up to n."""
    return sorted({*(1 << power for power in range(n.bit_length())), n})


def _pass(scope: str, k: int, values: FloatArray, cluster: IntArray) -> PassAt:
    known = ~np.isnan(values)
    value = float(values[known].mean()) if known.any() else float("nan")
    return PassAt(scope, k, value, wilson(values, cluster)[0], int(known.sum()))
