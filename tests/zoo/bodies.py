"""Tiny checkpoints in the layouts of published models: the same bytes on every machine, from seeded random numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from tests.checkpoints import make_tokenizer

LLAMA_3 = (
    "{{ '<|begin_of_text|>' }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA_3_TOKENS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
WIDTH = 32

CONVERSATIONS: tuple[list[dict[str, str]], ...] = (
    [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "Paris."}],
    [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "It is **Lyon**, the city of light, and it has been so for a long time."},
    ],
    [
        {"role": "user", "content": "Add two and three."},
        {"role": "assistant", "content": "Five."},
        {"role": "user", "content": "And now four more?"},
        {"role": "assistant", "content": "Nine, because five and four are nine."},
    ],
    [
        {"role": "user", "content": "Write a line."},
        {"role": "assistant", "content": "A line\n\n- with a list\n- of two"},
    ],
    [{"role": "user", "content": "Why is the sky blue?"}, {"role": "assistant", "content": "ok"}],
    [
        {"role": "user", "content": "x" * 60},
        {"role": "assistant", "content": "The letter is repeated sixty times, and nothing else is said."},
    ],
)
"""Conversations without a system message, which every template takes."""
WITH_SYSTEM = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "What is the capital of Italy?"},
    {"role": "assistant", "content": "Rome"},
]


def numbers(seed: int, *shape: int, scale: float = 0.2, shift: float = 0.0) -> torch.Tensor:
    """Normal numbers that do not depend on torch or on the machine: float32 of the given shape."""
    made = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape) * scale + shift
    return torch.from_numpy(made.astype(np.float32))


def body_weights(config: Any, seed: int, prefix: str = "model.") -> dict[str, torch.Tensor]:
    """Weights of the body that a config describes, under the names of a checkpoint."""
    with torch.device("meta"):
        shapes = {name: tuple(one.shape) for name, one in AutoModel.from_config(config).named_parameters()}
    return {
        prefix + name: numbers(
            seed * 1000 + number,
            *shape,
            shift=1.0 if "norm" in name.lower() and len(shape) == 1 and "weight" in name else 0.0,
        )
        for number, (name, shape) in enumerate(sorted(shapes.items()))
    }


def body_config(kind: str = "llama", **changed: Any) -> Any:
    """The config of a tiny body: `llama`, `gemma2`, `qwen2`, `qwen3`, `mistral`, `gpt_neox` or others with its keys."""
    sizes: dict[str, Any] = {
        "vocab_size": 410,
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": "float32",
    }
    return AutoConfig.for_model(kind, **{**sizes, **changed})


def write_checkpoint(
    folder: Path,
    config: Any,
    weights: Mapping[str, torch.Tensor],
    tokenizer: PreTrainedTokenizerFast | None = None,
    **stated: Any,
) -> Path:
    """Write config.json, model.safetensors and a tokenizer; `stated` are further values of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {**config.to_dict(), **stated}
    (folder / "config.json").write_text(json.dumps(document, indent=1, sort_keys=True, default=str), encoding="utf-8")
    save_file({name: one.contiguous() for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    (tokenizer or llama_3_tokenizer()).save_pretrained(folder)
    return folder


def llama_3_tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    """A tokenizer with Llama 3's special tokens and template, which writes the BOS token itself."""
    return make_tokenizer(
        chat_template=LLAMA_3,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        additional_special_tokens=list(LLAMA_3_TOKENS),
        **options,
    )


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, which an expected number is for."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
