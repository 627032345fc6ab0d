"""Counts of calls for the manifest."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from rmeval.transport.attempts import Attempt
from rmeval.transport.budget import Budget
from rmeval.transport.calls import Usage

__all__ = ["Tally"]

_STEP = math.log(1.02)
"""Latencies are counted in classes that are 2% wide, so that a million of them take no memory."""


class Tally:
    """Counts calls, attempts, failures and latencies."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.most = 0
        self._latencies: Counter[int] = Counter()

    def ended(self, attempt: Attempt, seconds: float) -> None:
        """Count the end of a call."""
        if attempt.fault is None:
            self.answered += 1
            self._latencies[round(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        else:
            self.failed[attempt.cause] += 1

    def latency(self, share: float) -> float | None:
        """Return the latency in seconds that a share of the answers did not exceed; None without answers."""
        left = share * sum(self._latencies.values())
        for step in sorted(self._latencies):
            left -= self._latencies[step]
            if left <= 0:
                return float(f"{math.exp(step * _STEP):.3g}")
        return None

    def facts(self, address: str, budget: Budget) -> dict[str, Any]:
        """Return the counts for a manifest."""
        found: dict[str, Any] = {
            "address": address,
            "calls": self.answered + self.failed.total(),
            "failed": dict(sorted(self.failed.items())),
            "requests": budget.requests,
            "retries": dict(sorted(self.retries.items())),
            "tokens": {"input": budget.usage.input, "output": budget.usage.output},
            "largest_concurrency": self.most,
            "latency": {"median": self.latency(0.5), "p95": self.latency(0.95)},
        }
        if budget.estimated != Usage(0, 0):
            found["tokens_estimated"] = {"input": budget.estimated.input, "output": budget.estimated.output}
        return found | ({"cost": round(budget.cost, 6)} if budget.has_prices else {})
