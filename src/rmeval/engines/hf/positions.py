"""The longest sequence that a network supports, from its config."""

from __future__ import annotations

from typing import Any

__all__ = ["most_positions"]

_AFTER_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "layoutlmv3",
        "lilt",
        "longformer",
        "luke",
        "markuplm",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Types whose positions count from the padding token's id + 1, as in fairseq, so that the first rows of the table of
positions are never used (`create_position_ids_from_input_ids` in their modeling code)."""
_FIXED_PADDING = {"mpnet": 1}
"""The padding token's id where the modeling code does not read it from the config."""
_RELATIVE = frozenset({"deberta", "deberta-v2"})
"""Types that may have no positions but relative ones, in buckets or clipped, so that any length has them."""
_NAMES = ("max_position_embeddings", "max_seq_len")


def most_positions(config: Any) -> int | None:
    """The largest number of tokens that a network supports; None if its config does not state it.

    Args:
        config: A config of transformers.
    """
    text = config.get_text_config()
    if text.model_type in _RELATIVE and text.relative_attention and not text.position_biased_input:
        return None
    stated = next((limit for name in _NAMES if isinstance(limit := getattr(text, name, None), int)), 0)
    if stated <= 0:
        return None
    # Models with rotary embeddings have no table.
    if text.model_type not in _AFTER_PADDING or getattr(text, "position_embedding_type", "absolute") == "rotary":
        return stated
    padding = _FIXED_PADDING.get(text.model_type, text.pad_token_id)
    return stated if padding is None else stated - padding - 1
