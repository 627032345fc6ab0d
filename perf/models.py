"""Networks with random weights and realistic shapes."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["make_small_rm"]

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def make_small_rm(folder: Path) -> Path:
    """Save a classifier with Qwen3's architecture: hidden 512, 8 layers, 8 heads, 4 key heads, 16,000 tokens, float32.

    Its tokenizer is that of `rmeval/tiny`, whose vocabulary is small, so that texts have more tokens than usual.
    """
    import torch
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForSequenceClassification

    from rmeval.models import EMBEDDED

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=16_000,
        hidden_size=512,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        intermediate_size=1536,
        max_position_embeddings=16_384,
        initializer_range=0.05,
        num_labels=1,
        pad_token_id=0,
    )
    Qwen3ForSequenceClassification(config).float().eval().save_pretrained(folder)
    AutoTokenizer.from_pretrained(EMBEDDED["rmeval/tiny"]).save_pretrained(folder)
    stated = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(stated | {"model_max_length": 16_384}))
    return folder
