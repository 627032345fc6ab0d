"""Adapters (PEFT) over a base model, whose layers they go into."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rmeval.engines.hf import LOADING_ERRORS
from rmeval.errors import ModelError
from rmeval.hub import need_extra

__all__ = ["adapter_modules", "lay_over"]


def adapter_modules(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that an adapter brings whole, such as a trained head's, by their names in the base.

    Raises:
        ModelError: If the adapter's weights cannot be read.
    """
    try:
        with safe_open(folder / "adapter_model.safetensors", "pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  no dict
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the adapter in {folder} cannot be read ({error}): save it anew") from error
    whole = {
        re.sub(r"^base_model\.model\.", "", name).replace("modules_to_save.default.", ""): shape
        for name, shape in shapes.items()
    }
    return {name: shape for name, shape in whole.items() if ".lora_" not in name}


def lay_over(model: Any, folder: Path) -> Any:
    """Puts an adapter's layers into a model.

    Returns:
        The PEFT model, whose base model is the same one with the layers in it.

    Raises:
        ModelError: If it does not fit, or lacks weights.
    """
    try:
        from peft import PeftModel
    except ImportError as error:
        raise need_extra(error, f"the adapter {folder}", "peft") from error
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = PeftModel.from_pretrained(model, folder)
    except LOADING_ERRORS as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"the adapter {folder} does not fit its base ({line}): check --base-model") from error
    if any(config.is_prompt_learning for config in found.peft_config.values()):
        raise ModelError(
            f"the adapter {folder} learns a prompt, which goes before the tokens and is not read here: "
            "give one that changes layers, such as LoRA"
        )
    if lacking := next((str(one.message) for one in said if "missing adapter keys" in str(one.message)), None):
        raise ModelError(f"the adapter {folder} lacks weights ({lacking[:120]}...): check that it was saved whole")
    return found.eval()
