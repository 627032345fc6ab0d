"""Devices that networks run on."""

from __future__ import annotations

import torch

from rmeval.errors import ModelError

__all__ = ["find_device"]

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
