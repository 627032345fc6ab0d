"""Networks that are already in memory: they run in place, and stay unchanged."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

import torch
from transformers import PreTrainedModel

from rmeval.engines.base import Description, EngineOptions, InMemory, Reading, Readout, TokenSequence
from rmeval.engines.generation import Generated, Generation
from rmeval.engines.hf.adapter import is_plain_lora
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.code import is_own_class
from rmeval.engines.hf.devices import find_device
from rmeval.engines.hf.engine import HFEngine
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.state import state_digest
from rmeval.engines.hf.stops import token_ids
from rmeval.errors import ModelError

__all__ = ["open_model"]

T = TypeVar("T")


def open_model(held: InMemory, options: EngineOptions) -> HFEngine:
    """Open the engine that runs a network in memory.

    Raises:
        ModelError: If an option contradicts the network, or this process cannot run it.
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
    """The PEFT model (None without an adapter), and the network that contains the adapter's layers.

    Raises:
        ModelError: If the adapter learns a prompt instead of layers.
    """
    if isinstance(held.model, PreTrainedModel):
        return None, held.model
    if held.model.active_peft_config.is_prompt_learning:
        raise ModelError(
            f"the adapter of {held.name} learns a prompt before the tokens, which rmeval does not read: "
            "give one that changes layers, such as LoRA"
        )
    return held.model, held.model.get_base_model()


def _refuse_sharded(model: Any, name: str) -> None:
    """Raise a ModelError if other processes have parts of the weights, for which a forward pass would wait."""
    for own, weight in model.named_parameters():
        if not weight.numel() or type(weight).__name__ == "DTensor":
            raise ModelError(
                f"{name} is spread over several processes, as with FSDP or DeepSpeed ZeRO-3 ({own} is a part): "
                "save it, and evaluate the checkpoint"
            )


class _InMemoryNetwork(Network):
    """A network that the calling program has loaded, and may train between two runs."""

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
        """The name of its class; the config may still have that of the checkpoint from which it was made."""
        return (type(self._held).__name__,)

    @property
    def stops(self) -> tuple[int, ...]:
        """The tokens that end a text according to its settings of generation."""
        return token_ids(getattr(self._held.generation_config, "eos_token_id", None))

    def identity(self) -> dict[str, Any]:
        """The current number format."""
        return {"dtype": str(self._held.dtype).removeprefix("torch.")}

    def release(self) -> None:
        """Keep the weights, which belong to the calling program."""

    @contextmanager
    def used(self, adapted: bool = True) -> Iterator[None]:
        """Disable training mode, autocast and a trainer's wrapped forward inside the context."""
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
            # PEFT sets it for all active adapters when it enables them again.
            for weight, own in wanted:
                weight.requires_grad_(own)


def _attention(model: Any) -> str | None:
    """The implementation of attention, if it is not the default of transformers."""
    own: str | None = model.config._attn_implementation
    return None if own in (None, "sdpa" if model._supports_sdpa else "eager") else own


def _wrapped_forward(model: Any) -> Any:
    """The forward with which accelerate replaces the class's own for mixed precision; None if it does not."""
    own = vars(model)
    return own.get("forward") if "_original_forward" in own and "_hf_hook" not in own else None


def _make_trainable(model: Any) -> None:
    """Clone buffers that a forward pass has replaced: gradients cannot pass through tensors of inference mode."""
    for module in model.modules():
        for own in (module._buffers, vars(module)):
            for name, tensor in own.items():
                if isinstance(tensor, torch.Tensor) and tensor.is_inference():
                    own[name] = tensor.clone()


def _versions(model: Any) -> int:
    """A number that grows when weights are changed in place, except through `.data`."""
    return sum(weight._version for weight in model.parameters() if not weight.is_inference())


class _InMemoryEngine(HFEngine):
    """Runs a network in memory."""

    network: _InMemoryNetwork

    def __init__(self, network: _InMemoryNetwork, held: InMemory, batch_size: int | None) -> None:
        super().__init__(network, batch_size)
        self._held = held

    @property
    def description(self) -> Description:
        """Properties of its class and config."""
        return replace(super().description, shares_weights=not self._adapted)

    def fingerprint(self) -> str | None:
        """Digest of the current weights; None if their state is unknown."""
        found = state_digest(self.network.model, self._adapted)
        return None if found is None else f"in memory sha256:{found}"

    def forget(self) -> None:
        """Clear the facts, and the checks of weights that may have changed since."""
        super().forget()
        self.network.forward.forget()

    def run(self, sequences: Sequence[TokenSequence], readout: Readout) -> Iterator[Reading]:
        """Read every sequence once.

        Raises:
            ModelError: If the network fails, or is trained between two steps.
        """
        yield from self._unchanged(super().run(sequences, readout))

    def generate(
        self, sequences: Sequence[TokenSequence], limits: Sequence[int], seeds: Sequence[int], how: Generation
    ) -> Iterator[list[Generated]]:
        """Continue every sequence once.

        Raises:
            ModelError: If the network fails, or is trained between two steps.
        """
        yield from self._unchanged(super().generate(sequences, limits, seeds, how))

    def _unchanged(self, batches: Iterator[T]) -> Iterator[T]:
        """Pass batches on, and check after each that the weights are those of the beginning."""
        before = _versions(self.network.model)
        for batch in batches:
            if _versions(self.network.model) != before:
                raise ModelError(
                    f"the weights of {self._held.name} changed while it was evaluated: train it after the evaluation"
                )
            yield batch

    def tokenizer(self) -> InMemory:
        """The object that has the tokenizer."""
        return self._held

    def base(self) -> HFEngine | None:
        """The engine that runs the network with its adapter disabled; None without an adapter.

        Raises:
            ModelError: If this is not the model from which the adapter was trained.
        """
        adapted = self.network._adapted
        if adapted is None:
            return None
        status = adapted.get_model_status()
        if not is_plain_lora(adapted.active_peft_config.to_dict()) or status.enabled is not True:
            raise ModelError(
                f"the adapter of {self.description.name} cannot be disabled to get its base model (it is not a plain "
                "LoRA, or is disabled already): give the base model as `ref_model`"
            )
        below = copy.copy(self)
        below._adapted = False
        return below
