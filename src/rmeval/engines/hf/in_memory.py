"""Networks that the calling program holds: run as they are, where they are, and left as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel

from rmeval.engines.base import Description, EngineOptions, InMemory
from rmeval.engines.hf.adapter import is_plain_lora
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.code import is_own_class
from rmeval.engines.hf.devices import find_device
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.state import state_digest
from rmeval.errors import ModelError

__all__ = ["open_model"]


def open_model(held: InMemory, options: EngineOptions) -> HFEngine:
    """The engine that runs a network in memory.

    Raises:
        ModelError: If an option contradicts it, or it cannot be run as it is.
    """
    adapted, model = _parts(held)
    _refuse_sharded(model, held.name)
    dtype = str(model.dtype).removeprefix("torch.")
    if options.dtype not in ("auto", dtype):
        raise ModelError(
            f"{held.name} is in memory in {dtype} and `dtype` says {options.dtype}: leave `dtype` out, or convert the "
            f"model with model.to(torch.{options.dtype})"
        )
    wanted = model.device if options.device == "auto" else find_device(options.device)
    if wanted.type != model.device.type or wanted.index not in (None, model.device.index):
        raise ModelError(
            f"{held.name} is in memory on {model.device} and `device` says {options.device}: leave `device` out, or "
            f"move the model with model.to({options.device!r})"
        )
    return _InMemoryEngine(_InMemoryNetwork(held, model, adapted), held, options.batch_size)


def _parts(held: InMemory) -> tuple[Any, Any]:
    """The PEFT model, if it is one, and the network with the layers of its adapter in it.

    Raises:
        ModelError: If the adapter is none that changes layers.
    """
    if isinstance(held.model, PreTrainedModel):
        return None, held.model
    if held.model.active_peft_config.is_prompt_learning:
        raise ModelError(
            f"the adapter of {held.name} learns a prompt, which goes before the tokens and is not read here: "
            "give one that changes layers, such as LoRA"
        )
    return held.model, held.model.get_base_model()


def _refuse_sharded(model: Any, name: str) -> None:
    """Raises a ModelError for a network of which this process holds a part: running it waits for the others."""
    for own, weight in model.named_parameters():
        if not weight.numel() or type(weight).__name__ == "DTensor":
            raise ModelError(
                f"{name} is spread over several processes, as with FSDP or DeepSpeed ZeRO-3 ({own} is a part): "
                "save it, and evaluate the checkpoint"
            )


class _InMemoryNetwork(Network):
    """A network whose weights were loaded by somebody else, and may change between two readings."""

    def __init__(self, held: InMemory, model: Any, adapted: Any) -> None:
        self._held = model
        attention = _attention(model)
        device = "auto" if model.device.type == "meta" else str(model.device)
        super().__init__(
            Checkpoint(held.name, None, held.name, ""),
            "auto",
            device,
            is_own_class(model),
            {} if attention is None else {"attn_implementation": attention},
        )
        self._model, self._adapted = model, adapted

    def _read_config(self) -> Any:
        return self._held.config

    @property
    def architectures(self) -> tuple[str, ...]:
        """The name of its class: a config may still be that of the checkpoint that it was made of."""
        return (type(self._held).__name__,)

    def identity(self) -> dict[str, Any]:
        """The number format that it has now."""
        return {"dtype": str(self._held.dtype).removeprefix("torch.")}

    def release(self) -> None:
        """Keeps the weights, which are not ours."""

    @contextmanager
    def used(self, adapted: bool = True) -> Iterator[None]:
        """Switches training off, and all that a trainer puts around the network, for as long as this lasts."""
        model = self._held
        training = [module for module in model.modules() if module.training]
        forward = _wrapped_forward(model)
        try:
            for module in training:
                module.training = False
            if forward is not None:
                del model.forward
            off = nullcontext() if adapted else self._without_adapter()
            with torch.autocast(self.device.type, enabled=False), off:
                yield
        finally:
            if forward is not None:
                model.forward = forward
            for module in training:
                module.training = True
            _make_trainable(model)

    @contextmanager
    def _without_adapter(self) -> Iterator[None]:
        wanted = [(weight, weight.requires_grad) for weight in self._held.parameters()]
        try:
            with self._adapted.disable_adapter():
                yield
        finally:
            # Which PEFT sets for all active adapters when it switches them on.
            for weight, own in wanted:
                weight.requires_grad_(own)


def _attention(model: Any) -> str | None:
    """The implementation of attention, if it is none that transformers chooses by itself."""
    own: str | None = model.config._attn_implementation
    return None if own in (None, "sdpa" if model._supports_sdpa else "eager") else own


def _wrapped_forward(model: Any) -> Any:
    """The forward that `accelerate` puts before the class's own for mixed precision; None where there is none."""
    own = vars(model)
    return own.get("forward") if "_original_forward" in own and "_hf_hook" not in own else None


def _make_trainable(model: Any) -> None:
    """Replaces tensors that a network has computed for itself while it was read, which no gradient may pass through."""
    for module in model.modules():
        for own in (module._buffers, vars(module)):
            for name, tensor in own.items():
                if isinstance(tensor, torch.Tensor) and tensor.is_inference():
                    own[name] = tensor.clone()


class _InMemoryEngine(HFEngine):
    """Runs a network in memory."""

    network: _InMemoryNetwork

    def __init__(self, network: _InMemoryNetwork, held: InMemory, batch_size: int | None) -> None:
        super().__init__(network, batch_size)
        self._held = held

    @property
    def description(self) -> Description:
        """What it is, by its class and its config."""
        return replace(super().description, shares_weights=not self._adapted)

    def fingerprint(self) -> str | None:
        """Digest of the weights as they are now."""
        found = state_digest(self.network.model, self._adapted)
        return None if found is None else f"in memory sha256:{found}"

    def forget(self) -> None:
        """Begins the facts anew, and with them what was found out about weights that may have changed."""
        super().forget()
        self.network.forward.forget()

    def tokenizer(self) -> InMemory:
        """The tokenizer that came with the network."""
        return self._held

    def base(self) -> HFEngine | None:
        """What runs the network with its adapter switched off; None where there is none.

        Raises:
            ModelError: If that is not what the adapter was trained from.
        """
        adapted = self.network._adapted
        if adapted is None:
            return None
        status = adapted.get_model_status()
        if not is_plain_lora(adapted.active_peft_config.to_dict()) or status.enabled is not True:
            raise ModelError(
                f"the adapter of {self.description.name} cannot be switched off to have the model that it was trained "
                "from (it is no plain LoRA, or is switched off already): give that model as `ref_model`"
            )
        below = copy.copy(self)
        below._adapted = False
        return below
