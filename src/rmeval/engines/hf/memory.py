"""Handling of failed passes: smaller batches when memory runs out, and error messages."""

from __future__ import annotations

import logging

import torch

from rmeval.engines.hf.network import Network
from rmeval.errors import ModelError, reason_of
from rmeval.messages import count_of

__all__ = ["failed", "halved", "is_memory", "too_small"]

logger = logging.getLogger(__name__)

LEAST_BUDGET = 32
"""Smallest token budget of a batch when memory runs out."""
_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


def is_memory(error: BaseException) -> bool:
    """Whether memory ran out; off CUDA torch raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in str(error) for said in _MEMORY)


def halved(network: Network, size: int, what: str, error: BaseException) -> int:
    """Half the size of a batch that was too large.

    Args:
        network: The network that ran.
        size: The size of the batch.
        what: The unit of the size, for the messages.
        error: The error that was raised.

    Raises:
        ModelError: If the batch cannot be made smaller.
    """
    if size // 2 < LEAST_BUDGET:
        raise too_small(network, f"{size} {what}", error) from error
    logger.warning("%s has too little memory for %d %s at once: continuing with half", network.device, size, what)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return size // 2


def too_small(network: Network, what: str, error: BaseException) -> ModelError:
    """The error of a device whose memory is too small for the smallest batch."""
    return ModelError(
        f"{network.device} has too little memory for {what} ({reason_of(error)}): "
        "give a smaller `dtype`, or `model_kwargs` device_map=auto"
    )


def failed(network: Network, count: int, size: int, error: BaseException) -> ModelError:
    """The error of a failed pass.

    Args:
        network: The network that ran.
        count: Number of sequences.
        size: Total number of tokens.
        error: The error that was raised.
    """
    return ModelError(
        f"{network.checkpoint.source} fails on {count_of(count, 'conversation')} with {size} tokens in total "
        f"({reason_of(error)}): check that it is meant for such input"
    )
