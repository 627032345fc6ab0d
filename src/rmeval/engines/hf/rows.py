"""How many sequences are continued together: their keys and values must fit into memory."""

from __future__ import annotations

import logging

import torch

from rmeval.engines.hf.memory import too_small
from rmeval.engines.hf.network import Network

__all__ = ["first_rows", "halved_rows"]

logger = logging.getLogger(__name__)

_ROWS = {"cpu": 16}
_MORE_ROWS = 256
"""Largest number of sequences on CPUs, where more were not faster, and elsewhere."""
_CPU_CACHE = 2 << 30
"""Bytes of keys and values on a CPU; on a GPU they take half of the free memory."""


def first_rows(network: Network, cap: int | None, longest: int) -> int:
    """Estimate the number of sequences to continue together, without running the network.

    Args:
        network: The network.
        cap: Largest number; by default it depends on the device.
        longest: Number of tokens of the longest sequence with its continuation.
    """
    most = cap or _ROWS.get(network.device.type, _MORE_ROWS)
    config = network.config.get_text_config()
    layers, heads = getattr(config, "num_hidden_layers", None), getattr(config, "num_attention_heads", None)
    hidden = getattr(config, "hidden_size", None)
    if layers is None or heads is None or hidden is None:
        return most
    width = getattr(config, "head_dim", None) or hidden // heads
    token = 2 * layers * (getattr(config, "num_key_value_heads", None) or heads) * width * network.model.dtype.itemsize
    free = torch.cuda.mem_get_info(network.device)[0] // 2 if network.device.type == "cuda" else _CPU_CACHE
    return max(1, min(most, int(free // max(1, token * longest))))


def halved_rows(network: Network, rows: int, error: BaseException) -> int:
    """Half the number of sequences, after memory ran out.

    Raises:
        ModelError: If there is a single one.
    """
    if rows == 1:
        raise too_small(network, "the continuation of one conversation", error) from error
    logger.warning(
        "%s has too little memory to continue %d conversations at once: continuing with half", network.device, rows
    )
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return rows // 2
