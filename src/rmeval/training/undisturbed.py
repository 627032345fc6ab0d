"""Random numbers that an evaluation does not take from a training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["same_random_numbers"]


@contextmanager
def same_random_numbers(device: torch.device) -> Iterator[None]:
    """Restore the state of the random numbers of Python, numpy and torch, on the CPU and on one device."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = [device] if device.type in ("cuda", "xpu") else []
    try:
        with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
