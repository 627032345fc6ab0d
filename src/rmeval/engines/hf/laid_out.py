"""Loads checkpoints whose head a `HeadLayout` describes: the body by transformers, the head by the names of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from transformers import AutoModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from rmeval.engines.head_layout import HeadLayout
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.layers import put_layout_on
from rmeval.engines.hf.quiet import quiet
from rmeval.engines.hf.refusals import cannot_load, untrained, wrong_shapes
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS

__all__ = ["body_config", "load_laid_out"]


def body_config(checkpoint: Checkpoint, layout: HeadLayout, model_kwargs: Mapping[str, Any]) -> Any:
    """The config of a body whose type transformers does not know, as the type that the layout names.

    Raises:
        ModelError: If transformers does not know that type either.
    """
    if layout.body_type not in CONFIG_MAPPING:
        raise ModelError(f"the card names the type {layout.body_type!r}, which transformers does not have: correct it")
    stated = {name: value for name, value in checkpoint.stated().items() if name not in ("model_type", "auto_map")}
    return CONFIG_MAPPING[layout.body_type].from_dict(stated, **model_kwargs)


def load_laid_out(checkpoint: Checkpoint, layout: HeadLayout, load: Mapping[str, Any], config: Any) -> Any:
    """The network of a checkpoint without an adapter.

    Args:
        checkpoint: The checkpoint.
        layout: The layout of its head.
        load: Arguments of `from_pretrained`.
        config: Its config.

    Raises:
        ModelError: If it cannot be loaded, or a weight is missing or left over.
    """
    if checkpoint.adapter is not None:
        raise ModelError(
            f"{checkpoint.source} has an adapter, which cannot be laid over a head of a card: merge it into its base"
        )
    mapping: dict[str, Any] = {"key_mapping": {f"^{re.escape(layout.body)}": ""}} if layout.body else {}
    if layout.body_type:
        mapping["config"] = config
    # Hub code is neither needed nor run.
    load = {**load, **mapping, "trust_remote_code": False, "ignore_mismatched_sizes": True, "output_loading_info": True}
    try:
        with quiet():
            model, found = AutoModel.from_pretrained(checkpoint.source, **load)
    except LOADING_ERRORS as error:
        raise cannot_load(checkpoint, error) from error
    if found["mismatched_keys"]:
        raise wrong_shapes(checkpoint, found["mismatched_keys"], False, "")
    # The body's pooler is not read.
    if missing := sorted(name for name in found["missing_keys"] if "pooler" not in name.split(".")):
        raise untrained(checkpoint, missing, False, "")
    put_layout_on(model, checkpoint, layout, found["unexpected_keys"])
    return model
