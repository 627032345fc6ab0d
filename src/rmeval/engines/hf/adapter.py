"""Adapters (PEFT) over a base model, whose layers they go into."""

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
    """Shapes of the weights that an adapter brings whole, such as a trained head's, by their names in the base.

    Raises:
        ModelError: If the adapter's weights cannot be read.
    """
    return {name: shape for name, shape in _shapes(folder).items() if ".lora_" not in name}


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(folder / "adapter_model.safetensors", "pt") as file:
            return {_in_base(name): tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the adapter in {folder} cannot be read ({reason_of(error)}): save it anew") from error


_TABLE = re.compile(r"(embed|wte|lm_head)[^.]*\.(\w+\.)*weight$")
"""Names of weights with one row for each token."""


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return found


def task_of(folder: Path) -> str | None:
    """The kind of model that an adapter was trained on, as PEFT names it, such as `CAUSAL_LM`."""
    stated: str | None = _config(folder).get("task_type")
    return stated


def _indices(config: Mapping[str, Any]) -> list[int]:
    """The tokens that were trained by themselves.

    Raises:
        ModelError: If the config states something else.
    """
    stated = config.get("trainable_token_indices") or []
    lists = list(stated.values()) if isinstance(stated, dict) else [stated]
    if not all(isinstance(tokens, list) and all(isinstance(token, int) for token in tokens) for tokens in lists):
        raise ModelError(
            f"the adapter's config states trainable_token_indices={stated!r}, which are no ids of tokens: correct it"
        )
    return [token for tokens in lists for token in tokens]


def _resize(model: Any, folder: Path) -> None:
    """Gives a base as many embeddings as the adapter was trained with, where tokens were added or taken away.

    Raises:
        ModelError: If it has no weights for tokens that were added.
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
            f"the adapter {folder} was trained with {rows} tokens, {model.config.name_or_path} knows {before}, and the "
            "embeddings of the others were not saved: save it with save_embedding_layers=True, or give the base that "
            "has them with `base_model`"
        )
    model.resize_token_embeddings(rows, mean_resizing=False)


def _in_base(name: str) -> str:
    """A weight's name without what PEFT puts around it."""
    return re.sub(r"^base_model\.model\.", "", name).replace("modules_to_save.default.", "")


_PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal")
"""Ways to begin the training of LoRA that leave the base's own weights as they are."""


def leaves_base_alone(folder: Path, vocabulary: int) -> bool:
    """Whether a network with the adapter's layers switched off is its base again, to the last weight.

    It is not where tokens were added, where biases were trained, where the start of the training took something out of
    the base's weights (PiSSA and others), or where whole layers were saved that PEFT does not switch back, such as
    embeddings.

    Args:
        folder: The adapter's folder.
        vocabulary: Number of tokens that the base knows.
    """
    config = _config(folder)
    tables = [shape for name, shape in adapter_modules(folder).items() if _TABLE.search(name)]
    if any(shape[0] != vocabulary for shape in tables) or max(_indices(config), default=0) >= vocabulary:
        return False
    switched = config.get("modules_to_save") or []
    # Tokens that were trained by themselves are switched, too.
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
    """Puts an adapter's layers into a model.

    Returns:
        The PEFT model, whose base model is the same one with the layers in it.

    Raises:
        ModelError: If it does not fit, or lacks weights.
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
            f"the adapter {folder} learns a prompt, which goes before the tokens and is not read here: "
            "give one that changes layers, such as LoRA"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        placed = {_in_base(name) for name in get_peft_model_state_dict(found, save_embedding_layers=True)}
    if homeless := sorted(set(_shapes(folder)) - placed):
        raise ModelError(
            f"the adapter {folder} has weights that find no place in {model.config.name_or_path} ({homeless[0]}"
            f"{', ...' if len(homeless) > 1 else ''}): it was trained on another base, or as another kind of model; "
            "check `base_model` and `kind`"
        )
    if lacking := next((one.message for one in said if "missing adapter keys" in str(one.message)), None):
        reason = reason_of(lacking) if isinstance(lacking, Warning) else lacking
        raise ModelError(f"the adapter {folder} lacks weights ({reason}): check that it was saved whole")
    return found.eval()
