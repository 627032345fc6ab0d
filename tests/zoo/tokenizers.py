"""Byte-level tokenizers with the special tokens, ids and chat templates of published models, written as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers.convert_slow_tokenizer import bytes_to_unicode

LLAMA3 = (
    "{% for m in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim "
    "+ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
QWEN = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}{{ '<|im_start|>system\nSAID BY DEFAULT<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' }}"
    "{{ '<|endoftext|>' if loop.last else '\n' }}{% endfor %}"
)


def _tokenizer(folder: Path, ids: Mapping[str, int], words: Mapping[str, int], template: str, **settings: Any) -> None:
    """Write a byte-level tokenizer whose special tokens and some words have given ids.

    Args:
        folder: The checkpoint's folder.
        ids: The special tokens.
        words: Whole words (after the byte-level alphabet) that have an id of their own.
        template: The chat template.
        settings: Fields of `tokenizer_config.json`; with `bos_token`, the tokenizer adds it to a bare text.
    """
    vocabulary = {character: 300 + number for number, character in enumerate(bytes_to_unicode().values())}
    vocabulary |= dict(words) | dict(ids)
    split = r"\s*[\r\n]+|[^\s]+|\s+"
    bos = settings.get("bos_token")
    sequence = {"Sequence": {"id": "A", "type_id": 0}}
    added = [{"SpecialToken": {"id": bos, "type_id": 0}}] if bos else []
    stated: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False}
            | {"normalized": False, "special": True}
            for token, number in sorted(ids.items(), key=lambda pair: pair[1])
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*added, sequence],
            "pair": [*added, sequence, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [ids[bos]], "tokens": [bos]}} if bos else {},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "vocab": vocabulary, "merges": []}
        | {"fuse_unk": False, "byte_fallback": False, "ignore_merges": True, "continuing_subword_prefix": None}
        | {"end_of_word_suffix": None},
    }
    (folder / "tokenizer.json").write_text(json.dumps(stated, ensure_ascii=False), encoding="utf-8")
    own: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 4096,
        "chat_template": template,
    } | settings
    (folder / "tokenizer_config.json").write_text(json.dumps(own), encoding="utf-8")


def _llama3_tokenizer(folder: Path, further: Mapping[str, int] | None = None, **settings: Any) -> None:
    ids = {
        **(further or {}),
        "<|begin_of_text|>": 128000,
        "<|end_of_text|>": 128001,
        "<|start_header_id|>": 128006,
        "<|end_header_id|>": 128007,
        "<|eot_id|>": 128009,
        "[PAD]": 128256,
    }
    own: dict[str, Any] = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "[PAD]"}
    own |= settings
    _tokenizer(folder, ids, {"assistant": 78191, "ĊĊ": 271, "system": 9125, "user": 882}, LLAMA3, **own)


def _athene_tokenizer(folder: Path) -> None:
    """Llama 3's, with the token at which Athene-RM is read."""
    cls = "<|reserved_special_token_1|>"
    _llama3_tokenizer(folder, {cls: 128003}, cls_token=cls)


def _gemma_tokenizer(folder: Path) -> None:
    ids = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<start_of_turn>": 106, "<end_of_turn>": 107}
    own: dict[str, Any] = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    _tokenizer(folder, ids, {"Ċ": 108, "model": 2516, "user": 1645}, GEMMA, **own)


def _qwen_tokenizer(folder: Path) -> None:
    # The published ids are around 151643; nothing looks for them, so that a small vocabulary is enough.
    ids = {"<|endoftext|>": 600, "<|im_start|>": 601, "<|im_end|>": 602}
    own: dict[str, Any] = {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    _tokenizer(folder, ids, {"assistant": 603, "Ċ": 604}, QWEN, **own)


TOKENIZERS: Mapping[str, Callable[[Path], None]] = {
    "llama": _llama3_tokenizer,
    "athene": _athene_tokenizer,
    "gemma2": _gemma_tokenizer,
    "qwen2": _qwen_tokenizer,
}
