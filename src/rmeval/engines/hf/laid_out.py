"""Loads checkpoints whose head a `HeadLayout` describes: the body by transformers, the head by the names of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import MODEL_MAPPING, AutoModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from rmeval.engines.head_layout import HeadLayout
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.conversions import converted
from rmeval.engines.hf.layers import put_layout_on
from rmeval.engines.hf.quiet import quiet
from rmeval.engines.hf.refusals import cannot_load, untrained, wrong_shapes
from rmeval.errors import ModelError
from rmeval.loading import LOADING_ERRORS

__all__ = ["body_config", "load_laid_out"]


_OF_THE_OTHER = ("model_type", "auto_map", "attn_implementation")
"""Values of a config that are meant for the code of another type."""


def body_config(checkpoint: Checkpoint, layout: HeadLayout, model_kwargs: Mapping[str, Any]) -> Any:
    """The config of a body whose type transformers does not know, as the type that the layout names.

    Raises:
        ModelError: If transformers does not know that type either.
    """
    if layout.body_type not in CONFIG_MAPPING:
        raise ModelError(f"the card names the type {layout.body_type!r}, which transformers does not have: correct it")
    stated = {name: value for name, value in checkpoint.stated().items() if name not in _OF_THE_OTHER}
    with quiet():
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
    _refuse_other_values(checkpoint, layout)
    # Hub code is neither needed nor run.
    load = {**load, "trust_remote_code": False, "ignore_mismatched_sizes": True, "output_loading_info": True}
    try:
        with quiet():
            model, found = _body(checkpoint, layout, load, config)
    except LOADING_ERRORS as error:
        raise cannot_load(checkpoint, error) from error
    if found["mismatched_keys"]:
        raise wrong_shapes(checkpoint, sorted(found["mismatched_keys"]), False, "")
    # The body's pooler is not read.
    if missing := sorted(name for name in found["missing_keys"] if "pooler" not in name.split(".")):
        raise untrained(checkpoint, missing, False, "")
    if not layout.last_norm:
        if not isinstance(getattr(model, "norm", None), nn.Module):
            raise ModelError(f"the body of {checkpoint.source} has no last norm to leave out: check the card")
        model.norm = nn.Identity()
    put_layout_on(model, checkpoint, layout, found["unexpected_keys"])
    return model


def _refuse_other_values(checkpoint: Checkpoint, layout: HeadLayout) -> None:
    """Reject a config for which the layout does not hold.

    Raises:
        ModelError: If it states another value than the layout needs.
    """
    stated = checkpoint.stated()
    for name, value in layout.states:
        if str(stated.get(name, value)) != value:
            raise ModelError(
                f"the config of {checkpoint.source} states {stated[name]!r} for {name}, and the card holds for "
                f"{value!r} only: wrap the model in a class with a score(conversations) method and give file.py:Class"
            )


def _body(checkpoint: Checkpoint, layout: HeadLayout, load: Mapping[str, Any], config: Any) -> Any:
    """The body and transformers' report on missing and unexpected weights."""
    if layout.convert:
        # The weights are read here: from_pretrained would look for them under the other names.
        own = {name: value for name, value in load.items() if name not in _OF_A_PLACE}
        weights = converted(checkpoint, layout.convert, config)
        return MODEL_MAPPING[type(config)].from_pretrained(None, config=config, state_dict=weights, **own)
    mapping: dict[str, Any] = {"key_mapping": {f"^{re.escape(layout.body)}": ""}} if layout.body else {}
    if layout.body_type:
        mapping["config"] = config
    return AutoModel.from_pretrained(checkpoint.source, **load, **mapping)


_OF_A_PLACE = ("revision", "trust_remote_code", "use_safetensors", "subfolder", "variant")
"""Arguments of `from_pretrained` that find files."""
