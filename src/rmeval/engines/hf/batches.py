"""Batches of similar length under a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["plan_batches"]


def plan_batches(lengths: Sequence[int], budget: int, cap: int | None = None) -> Iterator[list[int]]:
    """Groups sequences so that little is padded and no batch exceeds the budget.

    The longest come first, so that a machine that is too small says so at once. Batches are cut one after the other
    from the sorted list: leaving out those already done leaves the others as they were, so that a run that was
    interrupted scores the rest in the very batches it would have had.

    Args:
        lengths: Tokens of each sequence.
        budget: Padded tokens a batch may hold; a single longer sequence gets a batch of its own.
        cap: Most sequences a batch may hold.

    Yields:
        Positions in `lengths`, each exactly once.
    """
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    start = 0
    while start < len(order):
        longest = max(lengths[order[start]], 1)
        size = max(1, budget // longest)
        if cap is not None:
            size = min(size, cap)
        yield order[start : start + size]
        start += size
