"""Converts the weights of bodies that transformers does not have to a body that computes the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.heads import names_in, read_weight
from rmeval.errors import ModelError

__all__ = ["converted"]

Named = tuple[str, torch.Tensor]


def converted(checkpoint: Checkpoint, conversion: str, config: Any) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint under the names of another body; unknown names stay as they are.

    Args:
        checkpoint: The checkpoint.
        conversion: Name of the conversion, see `HeadLayout.convert`.
        config: The config of the other body.

    Raises:
        ModelError: If a weight cannot be read, or has another shape than the config states.
    """
    convert = _CONVERSIONS[conversion]
    found: dict[str, torch.Tensor] = {}
    for name, file in names_in(checkpoint.weights()).items():
        try:
            found.update(convert(name, read_weight(file, name), config))
        except RuntimeError as error:
            raise ModelError(
                f"{checkpoint.source}: {name} does not have the shape that its config states ({error}): check that it "
                "was saved completely"
            ) from error
    return found


_INTERNLM2 = {
    "tok_embeddings": "embed_tokens",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""Llama's names for those of InternLM2 (InternLM/InternLM fe4c2eb, tools/convert2llama.py)."""
_PARTED = re.compile(r"(?P<stem>.*layers\.\d+\.|model\.)(?P<name>[a-z_]+(\.w[123o])?)\.weight")


def _internlm2(name: str, weight: torch.Tensor, config: Any) -> Iterator[Named]:
    """InternLM2 as Llama, which has separate projections in place of `wqkv`.

    `wqkv` holds, for each key-value head, its query heads, its key and its value.
    """
    found = _PARTED.fullmatch(name)
    if name.endswith(".attention.wqkv.weight"):
        stem = name.removesuffix("attention.wqkv.weight")
        shared = config.num_attention_heads // config.num_key_value_heads
        size = config.hidden_size // config.num_attention_heads
        parts = weight.reshape(config.num_key_value_heads, shared + 2, size, config.hidden_size)
        for own, part in zip("qkv", torch.split(parts, [shared, 1, 1], 1), strict=True):
            yield f"{stem}self_attn.{own}_proj.weight", part.reshape(-1, config.hidden_size).contiguous()
    elif found and found["name"] in _INTERNLM2:
        yield f"{found['stem']}{_INTERNLM2[found['name']]}.weight", weight
    else:
        yield name, weight


_CONVERSIONS: Mapping[str, Callable[[str, torch.Tensor, Any], Iterator[Named]]] = {"internlm2": _internlm2}
