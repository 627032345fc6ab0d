"""Tiny checkpoints of models that compare two responses, in the published layouts, and the pairs that they compare."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from tests.checkpoints import make_tokenizer
from tests.zoo.bodies import body_config, body_weights, llama_3_tokenizer, numbers, write_checkpoint

MARKERS = ("<|source|>", "<|candidate1|>", "<|candidate2|>", "<|candidate|>")
_WORDS = ("▁the", "▁is", "▁of", "▁a", "▁and", "▁capital", "▁Response", "▁USER", "▁Assistant", "ing", "er", "re", "▁so")
_POST = ("POST:", "RESPONSE", "Which", "response", "better?")

Talk = list[dict[str, str]]

Pair = tuple[Talk, str, str]

SHORT_PAIRS: tuple[Pair, ...] = (
    ([{"role": "user", "content": "What is the capital of France?"}], "Paris.", "It is **Lyon**, the city of light."),
    (
        [
            {"role": "user", "content": "Add two and three."},
            {"role": "assistant", "content": "Five."},
            {"role": "user", "content": "And now four more?"},
        ],
        "Nine, because five and four are nine.",
        "ten",
    ),
    (
        [{"role": "user", "content": "Write a list."}],
        "A list:\n\n- one\n- two\n\n```c\nint x  = 1;\n```",
        "one , two .",
    ),
    (
        [{"role": "user", "content": "Why?  \n\n Say it ."}],
        "It is so .",
        "Don 't know , it 's naïve → 🙂 [SEP] end [PAD].",
    ),
    (
        [{"role": "user", "content": "Repeat: " + "so it is and " * 8}],
        "the sky is blue " * 9 + "at the end",
        "no",
    ),
    (
        [{"role": "user", "content": "Say <|eot_id|> twice."}],
        "<|eot_id|><|begin_of_text|>ok <|eot_id|>",
        "no: <|eot_id|>",
    ),
)
"""Prompts with two responses: one turn and several, lists, spaces, and special tokens inside."""
LONG_PAIRS: tuple[Pair, ...] = (
    ([{"role": "user", "content": "Begin. " + "the capital of a land is " * 230 + "End."}], "Short.", "Another one."),
    (
        [{"role": "user", "content": "Which is longer?"}],
        "first " * 700 + "the last word",
        "So it is: " + "the second of the two is longer " * 150,
    ),
)
"""Prompts and responses that PairRM and Better-PairRM cut."""


def _unigram(first: list[str], last: list[str]) -> Tokenizer:
    """A tokenizer of single characters and a few words, whose normaliser joins white space, as SentencePiece's do."""
    letters = [one for one in string.printable if not one.isspace()]
    pieces = [(one, 0.0) for one in first] + [("▁", -4.0), *((one, -3.0 - len(one) / 16) for one in _WORDS)]
    pieces += [*((one, -6.0) for one in letters), *((one, 0.0) for one in last)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=[piece for piece, _ in pieces].index("[UNK]")))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return tokenizer


def deberta_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer in the layout of DeBERTa v3's, with PairRM's four tokens after its vocabulary."""
    tokenizer = _unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"])
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    tokenizer.add_tokens(list(MARKERS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        bos_token="[CLS]",
        eos_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        clean_up_tokenization_spaces=True,
    )


def pairrm(folder: Path, seed: int = 61, tasks: int = 3) -> Path:
    """PairRM: DeBERTa v3 under `pretrained_model`, and a head of two layers (rewardbench/models/pairrm.py)."""
    tokenizer = deberta_tokenizer()
    source, first, second, any_candidate = tokenizer.convert_tokens_to_ids(list(MARKERS))
    config = AutoConfig.for_model(
        "deberta-v2",
        vocab_size=len(tokenizer) + 2,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        position_buckets=16,
        relative_attention=True,
        max_relative_positions=-1,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
        type_vocab_size=0,
        layer_norm_eps=1e-7,
        pad_token_id=0,
        torch_dtype="float32",
    )
    head = {"head_layer.1.weight": numbers(seed + 1, 32, 64), "head_layer.1.bias": numbers(seed + 2, 32)}
    head |= {
        "head_layer.4.weight": numbers(seed + 3, tasks, 32, scale=0.5),
        "head_layer.4.bias": numbers(seed + 4, tasks),
    }
    stated = {
        "architectures": ["DebertaV2PairRM"],
        "n_tasks": tasks,
        "drop_out": 0.05,
        "sep_token_id": tokenizer.sep_token_id,
        "source_prefix_id": source,
        "cand_prefix_id": any_candidate,
        "cand1_prefix_id": first,
        "cand2_prefix_id": second,
    }
    write_checkpoint(folder, config, body_weights(config, seed, "pretrained_model.") | head, tokenizer, **stated)
    return _named_tokenizer(folder, "DebertaV2Tokenizer")


def better_pairrm(folder: Path) -> Path:
    """Better-PairRM: PairRM's layout, with one task (rewardbench/models/betterpairrm.py)."""
    return pairrm(folder, seed=66, tasks=1)


def _named_tokenizer(folder: Path, name: str) -> Path:
    """States the published class of the tokenizer, which transformers 5 builds otherwise than its `tokenizer.json`."""
    file = folder / "tokenizer_config.json"
    stated = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**stated, "tokenizer_class": name}, indent=1), encoding="utf-8")
    return folder


def _weights(kind: Any, config: Any, seed: int, scale: float = 0.2) -> dict[str, torch.Tensor]:
    """All weights of a network by the names that it saves them under."""
    with torch.device("meta"):
        network = kind.from_config(config)
    shapes = {name: tuple(one.shape) for name, one in network.named_parameters()}
    return {
        name: numbers(seed * 1000 + number, *shape, scale=scale, shift=1.0 if "norm" in name else 0.0)
        for number, (name, shape) in enumerate(sorted(shapes.items()))
    }


def steamshp(folder: Path, seed: int = 71) -> Path:
    """SteamSHP: a Flan-T5 whose first output is A or B (rewardbench/models/shp.py)."""
    tokenizer = _unigram(["[PAD]", "</s>", "[UNK]"], [f"▁{word}" for word in (*_POST, "A", "B")])
    tokenizer.add_special_tokens(["[PAD]", "</s>", "[UNK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="[PAD]", unk_token="[UNK]", model_max_length=512
    )
    config = AutoConfig.for_model(
        "t5",
        vocab_size=len(fast) + 3,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        torch_dtype="float32",
    )
    weights = _weights(AutoModelForSeq2SeqLM, config, seed, 0.1)
    return write_checkpoint(folder, config, weights, fast, architectures=["T5ForConditionalGeneration"])


def rlhflow(folder: Path, seed: int = 81) -> Path:
    """RLHFlow's pair-preference model: a Llama 3 that answers A or B (rewardbench/models/slicpairpm.py)."""
    config = body_config("llama", max_position_embeddings=8192, bos_token_id=401)
    weights = _weights(AutoModelForCausalLM, config, seed)
    tokenizer = llama_3_tokenizer(model_max_length=8192)
    return write_checkpoint(folder, config, weights, tokenizer, architectures=["LlamaForCausalLM"])


def dpo_policy(folder: Path, seed: int, kind: str) -> Path:
    """A language model with a tokenizer that has Llama 3's template, ChatML and no BOS token, or no template (Tulu)."""
    config = body_config("llama", max_position_embeddings=4096, rms_norm_eps=1e-5)
    weights = _weights(AutoModelForCausalLM, config, seed, 0.1)
    if kind == "llama-3":
        tokenizer = llama_3_tokenizer(model_max_length=4096)
    else:
        bos = {} if kind == "chatml" else {"bos_token": "<|bos|>", "chat_template": None}
        tokenizer = make_tokenizer(model_max_length=4096, **bos)
    return write_checkpoint(folder, config, weights, tokenizer, architectures=["LlamaForCausalLM"])
