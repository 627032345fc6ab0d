"""Devices that networks run on."""

from __future__ import annotations

import logging
import platform
from typing import Any

import torch

from rmeval.errors import ModelError, reason_of

__all__ = ["find_device", "multiplies_bfloat16", "placed"]

logger = logging.getLogger(__name__)

_KINDS = ("cpu", "cuda", "mps")


def find_device(name: str) -> torch.device:
    """The device of a name, such as `cuda:1`; `auto` is the fastest available device.

    Raises:
        ModelError: If there is no device of that name.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"there is no device {name!r}: choose auto, cpu, cuda, cuda:1 or mps") from None
    if device.type not in _KINDS or (device.type == "cuda" and not torch.cuda.is_available()):
        raise ModelError(
            f"this machine has no device {name!r}: choose auto or cpu, or install a build of torch that supports it"
        )
    return device


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has bfloat16 instructions; True if unknown."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if device.type != "cpu" or known is None or platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return bool(known())


def placed(model: Any, device: torch.device, source: str, move: bool = True) -> Any:
    """A model on a device.

    Args:
        model: The model.
        device: The device.
        source: Its checkpoint, for messages.
        move: Whether to move it; False if it is spread over devices.

    Raises:
        ModelError: If it cannot be moved there.
    """
    try:
        model = model.to(device) if move else model
    except RuntimeError as error:
        raise ModelError(
            f"{source} cannot be moved to {device} ({reason_of(error)}): choose another `device`, a smaller `dtype`, "
            "or `model_kwargs` device_map=auto"
        ) from error
    if model.dtype == torch.bfloat16 and not multiplies_bfloat16(device):
        logger.warning("this CPU computes bfloat16 in software: `dtype` float32 is several times faster")
    return model
