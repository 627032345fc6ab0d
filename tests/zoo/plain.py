"""Tiny checkpoints of plain sequence classifiers: Llama, Gemma 2 and Qwen 3, each with a tokenizer as published ones.

    python -m tests.zoo.plain FOLDER

writes them and their conversations to a folder, for `scripts/zoo/plain.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSequenceClassification,
    Gemma2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

LLAMA3 = (
    "{% for m in messages %}{{ (bos_token if loop.first else '') + '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}"
    "{% endif %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + "
    "m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
)
CHATML = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint.

    Attributes:
        config: Config class of its body.
        own: Fields of its config.
        tokens: Special tokens, of which the first is the padding.
        bos: Token that the tokenizer adds to every text, although the template writes it, too; empty for none.
        end: Token of the end of a turn.
        template: Chat template.
        system: Whether the template has a role `system`.
    """

    config: Any
    own: Mapping[str, Any]
    tokens: Sequence[str]
    bos: str
    end: str
    template: str
    system: bool = True


KINDS = {
    "llama": Kind(
        LlamaConfig,
        {},
        ("<|pad|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|begin_of_text|>",
        "<|eot_id|>",
        LLAMA3,
    ),
    "gemma2": Kind(
        Gemma2Config,
        # Small caps, so that an attention without them gives other scores.
        {"query_pre_attn_scalar": 8, "sliding_window": 16, "attn_logit_softcapping": 2.0, "head_dim": 8},
        ("<pad>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        "<bos>",
        "<end_of_turn>",
        GEMMA,
        system=False,
    ),
    "qwen3": Kind(
        Qwen3Config, {"head_dim": 8}, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "", "<|im_end|>", CHATML
    ),
}
VOCABULARY = 384


def conversations(kind: str) -> list[list[dict[str, str]]]:
    """Conversations of one and more turns, of unequal lengths, one with the text of the padding and of the end."""
    pad, end = KINDS[kind].tokens[0], KINDS[kind].end
    turns = [
        ["What is the capital of France?", "Paris."],
        ["What is the capital of France?", "It is Lyon, I believe, but do not rely on it. " * 3],
        ["Hi", "Hello! How can I help?", "Sort 3, 1, 2.", "1, 2, 3"],
        ["Hi", "Hello! How can I help?", "Sort 3, 1, 2.", "3, 2, 1\n\n```python\nsorted([3, 1, 2])\n```"],
        [f"What does {pad} mean?", f"{pad} fills a batch, and {end} ends a turn. Here is one: {pad}{pad}"],
        ["\u00bfD\u00f3nde est\u00e1s? \u4f60\u597d", "\u6211\u5728\u8fd9\u91cc \U0001f642"],
    ]
    found = [
        [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(own)]
        for own in turns
    ]
    if KINDS[kind].system:
        found.append([{"role": "system", "content": "Answer in one word."}, *found[0]])
    return found


def make_tokenizer(kind: str, pad: bool = True, bos: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges that adds the token of the beginning to every text, if there is one.

    Without `bos`, the template does not write that token.
    """
    own = KINDS[kind]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=0, special_tokens=list(own.tokens), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([], trainer)
    if own.bos:
        ids = [(own.bos, tokenizer.token_to_id(own.bos))]
        tokenizer.post_processor = processors.TemplateProcessing(f"{own.bos} $A", special_tokens=ids)
    names = {"eos_token": own.end} | ({"bos_token": own.bos} if own.bos else {})
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=512, **names, **({"pad_token": own.tokens[0]} if pad else {})
    )
    made.chat_template = own.template if bos else own.template.replace("bos_token if loop.first else ''", "''")
    return made


def make_checkpoint(path: Path, kind: str, pad: bool = True, bos: bool = True) -> Path:
    """Write a checkpoint whose weights are the same on every machine; without `pad` it has no token for padding."""
    own, tokenizer = KINDS[kind], make_tokenizer(kind, pad, bos)
    config = own.config(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **own.own,
    )
    config.architectures = [f"{own.config.__name__.removesuffix('Config')}ForSequenceClassification"]
    model = AutoModelForSequenceClassification.from_config(config)
    random = np.random.Generator(np.random.PCG64(sorted(KINDS).index(kind)))
    with torch.no_grad():
        for name, weight in sorted(model.state_dict().items()):
            drawn = random.standard_normal(tuple(weight.shape)).astype(np.float32) * np.float32(0.3)
            weight.copy_(torch.from_numpy(drawn + np.float32("norm" in name and kind != "gemma2")))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def main() -> None:
    """Write all checkpoints, and for each `NAME.json` with its conversations."""
    folder = Path(sys.argv[1])
    for kind in KINDS:
        make_checkpoint(folder / kind, kind)
        (folder / f"{kind}.json").write_text(json.dumps(conversations(kind), indent=1))
    make_checkpoint(folder / "llama-without-pad", "llama", pad=False)
    make_checkpoint(folder / "llama-without-bos", "llama", bos=False)
    for name in ("llama-without-pad", "llama-without-bos"):
        (folder / f"{name}.json").write_text(json.dumps(conversations("llama"), indent=1))


if __name__ == "__main__":
    main()
