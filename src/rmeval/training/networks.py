"""The network, the tokenizer and the reference that a trainer has in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from peft import PeftModel
from transformers import ProcessorMixin

from rmeval.errors import ModelError
from rmeval.models import RewardModel, load_model

__all__ = ["HasReference", "load_held", "refuse_sharded"]


@runtime_checkable
class HasReference(Protocol):
    """A trainer of implicit rewards, such as TRL's DPOTrainer.

    Attributes:
        model: The policy.
        ref_model: The reference; None if it is the base of an adapter, or not in memory.
        beta: The factor of the reward.
        accelerator: What prepared the reference for this process.
    """

    model: Any
    ref_model: Any
    beta: float
    accelerator: Any


def load_held(trainer: Any, options: Mapping[str, Any], name: str | None = None) -> RewardModel:
    """Load the network of a trainer as it is now, without what the trainer wraps around it.

    Args:
        trainer: The trainer.
        options: Options of the model, which have precedence over the trainer's reference and beta.
        name: Name of the model; by default that of the network.

    Raises:
        ModelError: If it cannot be scored.
    """
    return load_model((trainer.model, _tokenizer(trainer)), name=name, **_with_reference(trainer, options))


def _tokenizer(trainer: Any) -> Any:
    given = trainer.processing_class
    if given is None:
        raise ModelError("the trainer has no tokenizer, with which texts are read: give it one as `processing_class`")
    return given.tokenizer if isinstance(given, ProcessorMixin) else given


def _with_reference(trainer: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the model; for an implicit reward, with the trainer's reference and beta.

    Raises:
        ModelError: If the reference is needed and not in memory.
    """
    own = dict(options)
    if not isinstance(trainer, HasReference) or "kind" in own or "head" in own:
        return own
    own.setdefault("beta", trainer.beta)
    if "ref_model" in own:
        return own
    if trainer.ref_model is not None:
        return own | {"ref_model": (trainer.accelerator.unwrap_model(trainer.ref_model), _tokenizer(trainer))}
    if not isinstance(trainer.model, PeftModel):
        raise ModelError(
            "the trainer has no reference model in memory (`precompute_ref_log_probs`): give the checkpoint with which "
            "training begins as `ref_model`"
        )
    if "ref" in trainer.model.peft_config:
        raise ModelError(
            "the reference of this training is a copy of the adapter, which rmeval does not read: give the checkpoint "
            "with which training begins as `ref_model`"
        )
    return own | {"kind": "implicit"}


def refuse_sharded(trainer: Any) -> None:
    """Check that this process will have all weights.

    Raises:
        ModelError: If the trainer will spread them over several processes.
    """
    plugin = trainer.accelerator.state.deepspeed_plugin if trainer.is_deepspeed_enabled else None
    how = "FSDP" if trainer.is_fsdp_enabled else "DeepSpeed ZeRO-3" if plugin and plugin.zero_stage == 3 else ""
    if how:
        raise ModelError(
            f"{how} spreads the weights over several processes, so they cannot be evaluated in memory: evaluate the "
            "saved checkpoints with `rmeval run`, or train with DDP"
        )
