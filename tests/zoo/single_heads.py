"""Tiny checkpoints of reward models with one linear layer, in the published names, configs and tokenizers.

The sources of each layout are in the file of expected scores of its family.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification

from tests.checkpoints import make_tokenizer
from tests.zoo.bodies import CONVERSATIONS, body_config, body_weights, llama_3_tokenizer, numbers

Weights = dict[str, torch.Tensor]

SIZES: dict[str, Any] = {
    "vocab_size": 410,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "torch_dtype": "float32",
    "initializer_range": 0.02,
    "use_cache": True,
}
LLAMA: dict[str, Any] = {
    **SIZES,
    "model_type": "llama",
    "hidden_act": "silu",
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""A config of Llama 2 as its time wrote it."""
WORDS = ("the", "and", "What", "is", "of", "it", "User", "Assistant")
MORE = (
    [
        {"role": "user", "content": "Name the token <unk> and the token </s>, please."},
        {"role": "assistant", "content": "They are <unk> and </s>, and <|endoftext|> is another."},
    ],
    [
        {"role": "user", "content": "Écris « bonjour » 你好"},
        {"role": "assistant", "content": "Bonjour ! 你好\n\n\tIndented, with  two spaces."},
    ],
)
"""Conversations with special tokens in their text, and with other characters."""
TALKS = [*CONVERSATIONS, *MORE]
SINGLE = [one for one in TALKS if len(one) == 2]
"""Conversations of one turn, for models that take a question and an answer."""


def llama_tokenizer(added: tuple[str, ...] = (), bos: bool = True) -> Tokenizer:
    """A tokenizer of Llama 2's construction: byte fallback, a space before each piece of text, BOS before all."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocabulary |= {f"<0x{byte:02X}>": 3 + byte for byte in range(256)}
    for letter in ["▁", *(chr(code) for code in range(33, 127))]:
        vocabulary.setdefault(letter, len(vocabulary))
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        start = "▁"
        for letter in word:
            if start + letter not in vocabulary:
                vocabulary[start + letter] = len(vocabulary)
                merges.append((start, letter))
            start += letter
    own = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    own.add_special_tokens(["<unk>", "<s>", "</s>", *added])
    if bos:
        own.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
        )
    return own


def deberta_tokenizer() -> Tokenizer:
    """A tokenizer of DeBERTa v3's construction: unigrams, and a pair between [CLS] and [SEP]."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    pieces = [(one, 0.0) for one in special]
    pieces += [(letter, -8.0) for letter in ["▁", *(chr(code) for code in range(33, 127))]]
    pieces += [(f"▁{word}", -3.0) for word in WORDS]
    own = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    own.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.Replace("\n", " ")])
    own.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    own.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    own.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    own.add_special_tokens(special)
    return own


def write(folder: Path, config: Mapping[str, Any], weights: Weights) -> Path:
    """Write config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    save_file({name: one.contiguous() for name, one in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def write_tokenizer(folder: Path, own: Tokenizer, **stated: Any) -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    own.save(str(folder / "tokenizer.json"))
    config = {"model_max_length": 512, **stated}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def write_llama_tokenizer(folder: Path, added: tuple[str, ...] = (), bos: bool = True, **stated: Any) -> None:
    """Write a tokenizer of Llama 2's construction."""
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<unk>"}
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": bos, "add_eos_token": False, "legacy": True}
    write_tokenizer(folder, llama_tokenizer(added, bos), **settings, **special, **stated)


def write_llama_3_tokenizer(folder: Path) -> None:
    """Write a tokenizer with Llama 3's special tokens and template."""
    own = llama_3_tokenizer()
    special = {"bos_token": own.bos_token, "eos_token": own.eos_token}
    stated = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": str(own.chat_template)}
    write_tokenizer(folder, own.backend_tokenizer, **stated, **special)


def llama(seed: int, prefix: str = "model.") -> Weights:
    """Weights of a Llama body, with the buffers that checkpoints of 2023 hold."""
    weights = body_weights(body_config("llama"), seed, prefix)
    return weights | {f"{prefix}layers.{one}.self_attn.rotary_emb.inv_freq": numbers(seed, 4) for one in range(2)}


def ultrarm(folder: Path) -> Path:
    """UltraRM: `regression_head` without a bias."""
    weights = llama(31) | {"regression_head.weight": numbers(31, 1, 32)}
    write(folder, {**LLAMA, "architectures": ["LlamaRewardModel"]}, weights)
    write_llama_tokenizer(folder)
    return folder


def eurus(folder: Path) -> Path:
    """Eurus-RM: the same head on Mistral."""
    config = {**LLAMA, "model_type": "mistral", "sliding_window": None, "architectures": ["EurusRewardModel"]}
    weights = body_weights(body_config("mistral"), 32) | {"regression_head.weight": numbers(32, 1, 32)}
    write(folder, config, weights)
    write_llama_tokenizer(folder)
    return folder


def starling(folder: Path) -> Path:
    """Starling-RM: the body `transformer`, and `v_head` without a bias."""
    weights = body_weights(body_config("llama"), 33, "transformer.") | {"v_head.weight": numbers(33, 1, 32)}
    write(folder, {**LLAMA, "architectures": ["LlamaForSequenceClassification"]}, weights)
    chatml = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    )
    write_llama_tokenizer(folder, ("<|im_start|>", "<|im_end|>"), bos=False, chat_template=chatml)
    return folder


def starling_7b(folder: Path) -> Path:
    """Starling-RM-7B-alpha converted: the body `transformer`, and `v_head`, with Llama 2's config and tokenizer."""
    weights = llama(34, "transformer.") | {"v_head.weight": numbers(34, 1, 32)}
    write(folder, {**LLAMA, "architectures": ["LlamaForCausalLM"]}, weights)
    write_llama_tokenizer(folder)
    return folder


def beaver(folder: Path, kind: str = "reward", normalised: bool = True) -> Path:
    """Beaver: `score_head` with a bias, and the normaliser of safe-rlhf."""
    stated = {
        "architectures": ["LlamaForScore"],
        "score_dim": 1,
        "bias": True,
        "score_type": kind,
        "do_normalize": normalised,
        "normalizer_type": "RunningMeanStd",
        "mean": [0.25],
        "var": [2.5],
    }
    seed = 35 if kind == "reward" else 36
    head = {"score_head.weight": numbers(seed, 1, 32), "score_head.bias": numbers(seed + 100, 1)}
    head |= {"normalizer.mean": torch.tensor([0.25]), "normalizer.var": torch.tensor([2.5])}
    head["normalizer.count"] = torch.tensor([1000])
    write(folder, {**LLAMA, **stated}, llama(seed) | head)
    write_llama_tokenizer(folder)
    return folder


def beaver_cost(folder: Path) -> Path:
    """Beaver's cost model: another normaliser, and the sign of a cost."""
    return beaver(folder, "cost")


def oasst_pythia(folder: Path, pooling: str = "last") -> Path:
    """OpenAssistant's Pythia: a type that transformers lacks, and `out_proj` with a bias."""
    neox: dict[str, Any] = {
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
        "use_parallel_residual": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "tie_word_embeddings": False,
    }
    stated = {"model_type": "gpt_neox_reward_model", "architectures": ["GPTNeoXRewardModel"], "pooling": pooling}
    weights = body_weights(body_config("gpt_neox", **neox), 37, "gpt_neox.")
    for one in range(2):
        place = f"gpt_neox.layers.{one}.attention"
        weights[f"{place}.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.uint8).tril()
        weights[f"{place}.masked_bias"] = torch.tensor(-1e9)
        weights[f"{place}.rotary_emb.inv_freq"] = numbers(37, 1)
    weights |= {"out_proj.weight": numbers(37, 1, 32), "out_proj.bias": numbers(137, 1)}
    write(folder, {**SIZES, **neox, **stated}, weights)
    added = ["<|prompter|>", "<|assistant|>", "<|system|>", "<|endoftext|>", "<|padding|>"]
    own = make_tokenizer(eos_token="<|endoftext|>", additional_special_tokens=added).backend_tokenizer
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    write_tokenizer(folder, own, tokenizer_class="GPTNeoXTokenizer", pad_token="<|padding|>", **special)
    return folder


def oasst_deberta(folder: Path) -> Path:
    """OpenAssistant's DeBERTa v3: transformers' own class, on a pair of texts."""
    deberta: dict[str, Any] = {
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "type_vocab_size": 0,
        "layer_norm_eps": 1e-7,
        "relative_attention": True,
        "max_relative_positions": -1,
        "position_buckets": 16,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "pooler_dropout": 0,
        "pooler_hidden_act": "gelu",
        "pooler_hidden_size": 32,
        "pad_token_id": 0,
        "num_labels": 1,
    }
    config = body_config("deberta-v2", **{**deberta, "num_key_value_heads": None})
    with torch.device("meta"):
        named = AutoModelForSequenceClassification.from_config(config).named_parameters()
        shapes = {name: tuple(one.shape) for name, one in named}
    weights = {
        name: numbers(38000 + number, *shape, shift=float("LayerNorm.weight" in name))
        for number, (name, shape) in enumerate(sorted(shapes.items()))
    }
    stated = {"model_type": "deberta-v2", "architectures": ["DebertaV2ForSequenceClassification"]}
    labels = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    own = {name: value for name, value in deberta.items() if name != "num_labels"}
    write(folder, {**SIZES, **own, **stated, **labels}, weights)
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    write_tokenizer(folder, deberta_tokenizer(), tokenizer_class="DebertaV2Tokenizer", **special)
    return folder


REWARD_TOKEN = 405


def internlm2(folder: Path) -> Path:
    """InternLM2-reward: fused projections, `v_head` without a bias, and a token at which the score is read."""
    stated = {
        **SIZES,
        "model_type": "internlm2",
        "architectures": ["InternLM2ForRewardModel"],
        "auto_map": {
            "AutoConfig": "configuration_internlm2.InternLM2Config",
            "AutoModel": "modeling_internlm2.InternLM2ForRewardModel",
        },
        "attn_implementation": "eager",
        "pretraining_tp": 1,
        "bias": False,
        "hidden_act": "silu",
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1000000,
        "rope_scaling": {"type": "dynamic", "factor": 2.0},
        "reward_token_id": REWARD_TOKEN,
        "pad_token_id": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
    }
    shapes: dict[str, tuple[int, ...]] = {"model.tok_embeddings.weight": (410, 32), "v_head.weight": (1, 32)}
    norms = ["model.norm.weight"]
    for one in range(2):
        layer = f"model.layers.{one}"
        shapes[f"{layer}.attention.wqkv.weight"] = (64, 32)
        shapes[f"{layer}.attention.wo.weight"] = (32, 32)
        shapes |= {f"{layer}.feed_forward.{name}.weight": (48, 32) for name in ("w1", "w3")}
        shapes[f"{layer}.feed_forward.w2.weight"] = (32, 48)
        norms += [f"{layer}.attention_norm.weight", f"{layer}.ffn_norm.weight"]
    weights = {name: numbers(39000 + number, *shape) for number, (name, shape) in enumerate(sorted(shapes.items()))}
    weights |= {name: numbers(39500 + number, 32, shift=1.0) for number, name in enumerate(norms)}
    write(folder, stated, weights)
    chatml = (
        "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
    )
    own = llama_tokenizer(("<|im_start|>", "<|im_end|>"))
    own.add_special_tokens([f"[UNUSED_TOKEN_{one}]" for one in range(own.get_vocab_size(), REWARD_TOKEN)])
    own.add_special_tokens(["<|reward|>"])
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    write_tokenizer(folder, own, tokenizer_class="PreTrainedTokenizerFast", chat_template=chatml, **special)
    return folder


def openrlhf(folder: Path, name: str = "value_head") -> Path:
    """OpenRLHF: the head that the config names, and the mean and deviation of its rewards in training."""
    config = {
        **LLAMA,
        "architectures": ["RewardModel"],
        "value_head_prefix": name,
        "mean": 0.75,
        "std": 2.5,
        "normalize_reward": False,
    }
    weights = body_weights(body_config("llama"), 40) | {f"{name}.weight": numbers(40, 1, 32)}
    write(folder, config, weights)
    write_llama_3_tokenizer(folder)
    return folder


def nemotron(folder: Path) -> Path:
    """Nemotron: a language model whose logit of token 0 is the reward."""
    weights = body_weights(body_config("llama"), 41) | {"lm_head.weight": numbers(41, 410, 32)}
    write(folder, {**LLAMA, "architectures": ["LlamaForCausalLM"], "eos_token_id": 2, "bos_token_id": 1}, weights)
    write_llama_3_tokenizer(folder)
    return folder


def ziya(folder: Path) -> Path:
    """Ziya-LLaMA-7B-Reward: `value_head` with a bias."""
    head = {"value_head.weight": numbers(42, 1, 32), "value_head.bias": numbers(142, 1)}
    write(folder, {**LLAMA, "architectures": ["LlamaRewardModel"]}, llama(42) | head)
    write_llama_tokenizer(folder)
    return folder


CHECKPOINTS: Mapping[str, Callable[[Path], Path]] = {
    "ultrarm": ultrarm,
    "eurus-rm": eurus,
    "starling-rm": starling,
    "starling-rm-7b-converted": starling_7b,
    "beaver-reward": beaver,
    "beaver-cost": beaver_cost,
    "oasst-pythia": oasst_pythia,
    "oasst-deberta": oasst_deberta,
    "internlm2-reward": internlm2,
    "openrlhf": openrlhf,
    "nemotron-reward": nemotron,
}
"""How the checkpoint of each family is written."""
