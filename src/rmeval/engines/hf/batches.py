"""Batches of similar length under a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

__all__ = ["first_budget", "plan_batches"]

BUDGETS = {"mps": 8_192, "cpu": 2_048}
"""Tokens a batch, by type of device; on CPUs more were no faster (docs/performance.md)."""
MOST, LEAST = 131_072, 2_048
"""Bounds of the budget on GPUs."""


def first_budget(model: Any, device: torch.device) -> int:
    """Estimates how many tokens to compute at once, without running the network.

    On a GPU what one layer holds of a token at a time is estimated from the config, and half of the free memory taken.
    """
    if device.type != "cuda":
        return BUDGETS[device.type]
    config = model.config.get_text_config()
    hidden = getattr(config, "hidden_size", None) or model.get_input_embeddings().weight.shape[1]
    width = 8 * hidden + 4 * (getattr(config, "intermediate_size", None) or 4 * hidden)
    free, _ = torch.cuda.mem_get_info(device)
    return int(min(max(free / 2 / (width * model.dtype.itemsize), LEAST), MOST))


def plan_batches(lengths: Sequence[int], budget: int, cap: int | None = None) -> Iterator[list[int]]:
    """Groups sequences so that little is padded and no batch exceeds the budget.

    The longest come first, so that a lack of memory shows in the first batch. Batches are cut one after the other
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
