"""Digest of a network in memory: its config, tensors and settings."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from transformers import PreTrainedModel

__all__ = ["state_digest"]

_KNOWN = frozenset({"accelerate", "bitsandbytes", "peft", "torch", "transformers"})
"""Packages whose modules are determined by their class, tensors and settings."""
_IDLE = frozenset(
    {
        "_is_hf_initialized",
        "all_tied_weights_keys",
        "gradient_checkpointing",
        "hf_device_map",
        "loss_type",
        "max_seq_len_cached",
        "model_tags",
        "name_or_path",
        "training",
        "warnings_issued",
    }
)
"""Settings of modules that do not change scores, or that every forward pass sets."""
_IDLE_CONFIG = frozenset({"_name_or_path", "architectures", "transformers_version", "use_cache"})
_ADAPTERS = frozenset({"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "modules_to_save"})
_CHUNK = 1 << 22
"""Number of elements that are copied from the device at once."""


def state_digest(model: Any, adapted: bool = True) -> str | None:
    """SHA-256 of everything that determines a network's output; equal in every process for equal weights.

    Args:
        model: A network of transformers, which may contain the layers of an adapter.
        adapted: Whether to include the adapter; without it, the digest is that of the base.

    Returns:
        The digest; None if the output also depends on other code, such as a replaced `forward`, a hook or a module's
        class, or on weights that are not in memory.
    """
    total = hashlib.sha256(_json(_config(model)).encode())
    for name, module in model.named_modules():
        kind = type(module)
        # A patch may have replaced `forward` on the class.
        if not _is_known(kind) or not _is_known(kind.forward) or not all(map(_is_known, _code_in(module))):
            return None
        if adapted:
            total.update(_json([name, type(module).__qualname__, _settings(module)]).encode())
    tensors = [(name, one) for name, one in _tensors(model) if adapted or not _ADAPTERS & set(name.split("."))]
    if not all(isinstance(one, torch.Tensor) and not one.is_meta for _, one in tensors):
        return None
    with ThreadPoolExecutor() as pool:
        sums = pool.map(_sum, [one for _, one in tensors])
        for (name, one), own in zip(tensors, sums, strict=True):
            total.update(_json([name, str(one.dtype), list(one.shape), own]).encode())
    return total.hexdigest()


def _sum(tensor: torch.Tensor) -> str:
    total = hashlib.sha256()
    for part in torch.split(tensor.detach().reshape(-1), _CHUNK):
        total.update(part.contiguous().cpu().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _config(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.config.to_dict().items() if name not in _IDLE_CONFIG}


def _tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Parameters, all buffers, and tensors that are plain attributes of modules."""
    saved = model.state_dict()
    yield from saved.items()
    yield from ((name, one) for name, one in model.named_buffers(remove_duplicate=False) if name not in saved)
    for stem, module in model.named_modules():
        yield from ((f"{stem}.{name}", one) for name, one in vars(module).items() if isinstance(one, torch.Tensor))


def _settings(module: Any) -> dict[str, str]:
    """Attributes of a module that JSON can represent, such as the factor of an adapter's layer."""
    found: dict[str, str] = {}
    # A model's private attributes determine how it is saved and distributed.
    whole = isinstance(module, PreTrainedModel)
    for name, value in vars(module).items():
        if name in _IDLE or name in ("_parameters", "_buffers", "_modules") or (whole and name.startswith("_")):
            continue
        try:
            found[name] = json.dumps(value, sort_keys=True, default=_listed)
        except (AttributeError, TypeError, ValueError):
            continue  # An object.
    return found


def _listed(value: Any) -> list[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, functools.partial):
        return [value.func.__qualname__, value.args, value.keywords]
    raise TypeError(type(value).__name__)


def _code_in(module: Any) -> Iterator[Any]:
    """Callable attributes of a module, such as functions that replace its methods, and its hooks."""
    for name, value in vars(module).items():
        if callable(value) and not isinstance(value, torch.Tensor | BuiltinFunctionType):
            yield value
        elif name in ("_forward_hooks", "_forward_pre_hooks"):
            yield from value.values()


def _is_known(code: type | Callable[..., Any]) -> bool:
    """Whether a class or a function belongs to one of the known packages."""
    while isinstance(code, functools.partial):
        code = code.func
    if isinstance(code, MethodType):
        code = code.__func__
    if not isinstance(code, type | FunctionType | BuiltinFunctionType):
        code = type(code)
    return (code.__module__ or "").partition(".")[0] in _KNOWN
