"""Checkpoints made on the spot: tiny networks with random weights and a tokenizer trained on a few sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
)

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ENDS_IN_EOS = "{{ '<|bos|>' }}{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<|im_end|>' }}{% endfor %}"
"""A template that writes the BOS itself and ends in EOS, so that with pad == eos the last token looks like padding."""
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>", "<|bos|>"]
VOCABULARY = 400


def make_tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; options are those of `PreTrainedTokenizerFast`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["what is the capital of the land and why is it so", "user assistant system"], trainer
    )
    settings = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>", "model_max_length": 512} | options
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **settings)
    made.chat_template = settings.get("chat_template", CHATML)
    return made


def make_checkpoint(
    path: Path,
    kind: str = "classifier",
    labels: int = 1,
    seed: int = 0,
    tokenizer: PreTrainedTokenizerFast | None = None,
    pad_token_id: int | None = 0,
    **config: Any,
) -> Path:
    """Saves a tiny Qwen3 classifier or language model, or a BERT classifier, with its tokenizer."""
    torch.manual_seed(seed)
    shape = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "max_position_embeddings": 512, "pad_token_id": pad_token_id} | config
    if kind == "bert":
        model: Any = BertForSequenceClassification(BertConfig(**shape, num_labels=labels))
    else:
        made = Qwen3ForSequenceClassification if kind == "classifier" else Qwen3ForCausalLM
        qwen = {
            "num_key_value_heads": 1,
            "head_dim": 16,
            "initializer_range": 0.2,
            "eos_token_id": 2,
            "bos_token_id": None,
        }
        model = made(Qwen3Config(**shape, **qwen, num_labels=labels))
    model.eval().save_pretrained(path)
    (tokenizer or make_tokenizer()).save_pretrained(path)
    return path


def say(folder: Path, *words: str) -> None:
    """Makes a language model of `make_checkpoint` give some words of one token nearly all of its probability."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        # A part of the hidden state that is large after any text, and that only those words look at.
        model.model.embed_tokens.weight[:, 0] = 20.0
        head = model.lm_head.weight
        head[:, 0] = 0.0
        head[[tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words], 0] = 4.0
    model.save_pretrained(folder)
