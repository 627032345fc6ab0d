"""Digest of a network in memory: its config, all its tensors and settings, or nothing where they do not say all."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from transformers import PreTrainedModel

__all__ = ["state_digest"]

_KNOWN = frozenset({"accelerate", "bitsandbytes", "peft", "torch", "transformers"})
"""Packages whose code is known by the tensors and settings of its modules; a run's manifest has their versions."""
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
"""Settings of modules that change no score, or that reading a sequence sets anew."""
_IDLE_CONFIG = frozenset({"_name_or_path", "architectures", "transformers_version", "use_cache"})
_ADAPTERS = frozenset({"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "modules_to_save"})
_CHUNK = 1 << 26
"""Elements of a tensor that are copied from its device at once."""


def state_digest(model: Any, adapted: bool = True) -> str | None:
    """SHA-256 of what a network computes with: the same weights have the same one in every process.

    Args:
        model: A network of transformers, with the layers of adapters in it, if there are any.
        adapted: Whether the adapter counts; without it two networks over the same base have one digest.

    Returns:
        None where scores depend on something else: on code of other packages or of the program itself, such as a
        replaced `forward` or a hook, or on weights that are not in memory.
    """
    total = hashlib.sha256(_json(_config(model)).encode())
    for name, module in model.named_modules():
        if not _is_known(type(module)) or any(not _is_known(code) for code in _code_in(module)):
            return None
        if adapted:
            total.update(_json([name, type(module).__qualname__, _settings(module)]).encode())
    for name, tensor in _tensors(model):
        if not adapted and _ADAPTERS & set(name.split(".")):
            continue
        if not isinstance(tensor, torch.Tensor) or tensor.is_meta:
            return None
        total.update(_json([name, str(tensor.dtype), list(tensor.shape)]).encode())
        for part in torch.split(tensor.detach().reshape(-1), _CHUNK):
            total.update(part.contiguous().cpu().view(torch.uint8).numpy().data)
    return total.hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _config(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.config.to_dict().items() if name not in _IDLE_CONFIG}


def _tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Parameters, buffers whether they are saved or not, and what layers keep beside these."""
    saved = model.state_dict()
    yield from saved.items()
    yield from ((name, one) for name, one in model.named_buffers(remove_duplicate=False) if name not in saved)
    for stem, module in model.named_modules():
        yield from ((f"{stem}.{name}", one) for name, one in vars(module).items() if isinstance(one, torch.Tensor))


def _settings(module: Any) -> dict[str, str]:
    """Attributes of a module that are numbers, texts or lists of them, such as the factor of an adapter's layer."""
    found: dict[str, str] = {}
    # A whole model's private attributes say how it is saved and distributed.
    whole = isinstance(module, PreTrainedModel)
    for name, value in vars(module).items():
        if name in _IDLE or name in ("_parameters", "_buffers", "_modules") or (whole and name.startswith("_")):
            continue
        try:
            found[name] = json.dumps(value, sort_keys=True, default=_listed)
        except (TypeError, ValueError):
            continue  # An object.
    return found


def _listed(value: Any) -> list[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _code_in(module: Any) -> Iterator[Any]:
    """Functions that a module has as attributes, which replace its class's, and its hooks."""
    for name, value in vars(module).items():
        if isinstance(value, FunctionType | MethodType | functools.partial):
            yield value
        elif name in ("_forward_hooks", "_forward_pre_hooks"):
            yield from value.values()


def _is_known(code: type | Callable[..., Any]) -> bool:
    """Whether a class or a function is of one of the known packages."""
    while isinstance(code, functools.partial):
        code = code.func
    if isinstance(code, MethodType):
        code = code.__func__
    if not isinstance(code, type | FunctionType | BuiltinFunctionType):
        code = type(code)
    return (code.__module__ or "").partition(".")[0] in _KNOWN
