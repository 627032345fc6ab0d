"""Batches of similar length under a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

__all__ = ["first_budget", "plan_batches"]

BUDGETS = {"mps": 8_192, "cpu": 2_048}
"""Tokens per batch, by type of device; on CPUs larger batches were not faster (docs/performance.md)."""
MOST, LEAST = 131_072, 2_048
"""Bounds of the budget on GPUs."""


def first_budget(model: Any, device: torch.device) -> int:
    """Estimate how many tokens to compute at once, without running the network.

    On a GPU the estimate uses half of the free memory, and the memory that one layer needs per token, computed from
    the config.
    """
    if device.type != "cuda":
        return BUDGETS[device.type]
    config = model.config.get_text_config()
    hidden = getattr(config, "hidden_size", None) or model.get_input_embeddings().weight.shape[1]
    width = 8 * hidden + 4 * (getattr(config, "intermediate_size", None) or 4 * hidden)
    free, _ = torch.cuda.mem_get_info(device)
    return int(min(max(free / 2 / (width * model.dtype.itemsize), LEAST), MOST))


def plan_batches(lengths: Sequence[int], budget: int, cap: int | None = None) -> Iterator[list[int]]:
    """Group sequences into batches with little padding, none of which exceeds the budget.

    The longest sequences come first, so that a lack of memory shows in the first batch. Batches are cut from the sorted
    list in order, so leaving out finished batches does not change the others: an interrupted run scores the remaining
    sequences in the same batches.

    Args:
        lengths: Number of tokens of each sequence.
        budget: Largest number of padded tokens in a batch; a single longer sequence gets its own batch.
        cap: Largest number of sequences in a batch.

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
