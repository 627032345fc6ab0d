"""Adapters (PEFT), loaded into the layers of a base model."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rmeval.errors import ModelError, reason_of
from rmeval.extras import need_extra
from rmeval.loading import LOADING_ERRORS

__all__ = ["adapter_modules", "is_plain_lora", "lay_over", "leaves_base_alone", "task_of"]


def adapter_modules(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the full weights in an adapter, such as a trained head's, by their names in the base.

    Raises:
        ModelError: If the adapter's weights cannot be read.
    """
    return {name: shape for name, shape in _shapes(folder).items() if ".lora_" not in name}


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(folder / "adapter_model.safetensors", "pt") as file:
            return {_in_base(name): tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the adapter in {folder} cannot be read ({reason_of(error)}): save it again") from error


_TABLE = re.compile(r"(embed|wte|lm_head)[^.]*\.(\w+\.)*weight$")
"""Names of weights with one row per token."""


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return found


def task_of(folder: Path) -> str | None:
    """The kind of model that an adapter was trained on, as PEFT names it, such as `CAUSAL_LM`."""
    stated: str | None = _config(folder).get("task_type")
    return stated


def _indices(config: Mapping[str, Any]) -> list[int]:
    """The ids of tokens whose embeddings were trained individually.

    Raises:
        ModelError: If the config has something other than token ids.
    """
    stated = config.get("trainable_token_indices") or []
    lists = list(stated.values()) if isinstance(stated, dict) else [stated]
    if not all(isinstance(tokens, list) and all(isinstance(token, int) for token in tokens) for tokens in lists):
        raise ModelError(
            f"the adapter's config has trainable_token_indices={stated!r}, which are not token ids: correct it"
        )
    return [token for tokens in lists for token in tokens]


def _resize(model: Any, folder: Path) -> None:
    """Resize a base's embeddings to the adapter's vocabulary, where tokens were added or removed.

    Raises:
        ModelError: If the adapter has no weights for tokens that were added.
    """
    table = model.get_input_embeddings()
    before = table.weight.shape[0]
    stem = next(name for name, module in model.named_modules() if module is table)
    own = {name: shape for name, shape in _shapes(folder).items() if name.startswith(f"{stem}.")}
    whole = [shape[0] for name, shape in own.items() if name.endswith(".weight")]
    layers = [shape[1] for name, shape in own.items() if name.endswith(".lora_embedding_A")]
    tokens = _indices(_config(folder))
    rows = max([*whole, *layers, *(token + 1 for token in tokens if token >= before)], default=before)
    if rows == before:
        return
    if not whole and not set(range(before, rows)) <= set(tokens):
        raise ModelError(
            f"the adapter {folder} was trained with {rows} tokens, {model.config.name_or_path} has {before}, and the "
            "embeddings of the other tokens were not saved: save the adapter with save_embedding_layers=True, or give "
            "a base that has these tokens with `base_model`"
        )
    model.resize_token_embeddings(rows, mean_resizing=False)


def _in_base(name: str) -> str:
    """A weight's name without the prefixes that PEFT adds."""
    return re.sub(r"^base_model\.model\.", "", name).replace("modules_to_save.default.", "")


_PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal")
"""Initialisations of LoRA that leave the base's weights unchanged."""


def leaves_base_alone(folder: Path, vocabulary: int) -> bool:
    """Whether a network with the adapter's layers disabled is identical to its base.

    It is not identical if tokens were added, if biases were trained, if the initialisation changed the base's weights
    (PiSSA and others), or if the adapter replaces layers that PEFT does not restore, such as embeddings.

    Args:
        folder: The adapter's folder.
        vocabulary: Size of the base's vocabulary.
    """
    config = _config(folder)
    tables = [shape for name, shape in adapter_modules(folder).items() if _TABLE.search(name)]
    if any(shape[0] != vocabulary for shape in tables) or max(_indices(config), default=0) >= vocabulary:
        return False
    switched = config.get("modules_to_save") or []
    # PEFT also disables tokens that were trained individually.
    names = [name for name in adapter_modules(folder) if "trainable_tokens" not in name]
    whole = [name.rpartition(".")[0].rpartition(".")[2] for name in names]
    return is_plain_lora(config) and all(name in switched for name in whole)


def is_plain_lora(config: Mapping[str, Any]) -> bool:
    """Whether an adapter's config states one whose training leaves the base's own weights as they are."""
    return (
        config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        and config.get("init_lora_weights") in _PLAIN_STARTS
    )


def lay_over(model: Any, folder: Path) -> Any:
    """Add an adapter's layers to a model.

    Returns:
        The PEFT model, whose base model is the given one with the layers added.

    Raises:
        ModelError: If the adapter does not fit, or lacks weights.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
    except ImportError as error:
        raise need_extra(error, f"the adapter {folder}", "peft") from error
    _resize(model, folder)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = PeftModel.from_pretrained(model, folder)
    except LOADING_ERRORS as error:
        reason = reason_of(error)
        raise ModelError(f"the adapter {folder} does not fit its base ({reason}): check `base_model`") from error
    if any(config.is_prompt_learning for config in found.peft_config.values()):
        raise ModelError(
            f"the adapter {folder} is a prompt-learning adapter, which rmeval does not support: "
            "give an adapter that changes layers, such as LoRA"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        placed = {_in_base(name) for name in get_peft_model_state_dict(found, save_embedding_layers=True)}
    if homeless := sorted(set(_shapes(folder)) - placed):
        raise ModelError(
            f"the adapter {folder} has weights that do not belong to {model.config.name_or_path} ({homeless[0]}"
            f"{', ...' if len(homeless) > 1 else ''}): it was trained on another base, or as another kind of model; "
            "check `base_model` and `kind`"
        )
    if lacking := next((one.message for one in said if "missing adapter keys" in str(one.message)), None):
        reason = reason_of(lacking) if isinstance(lacking, Warning) else lacking
        raise ModelError(f"the adapter {folder} lacks weights ({reason}): check that it was saved completely")
    return found.eval()
