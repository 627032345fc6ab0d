"""Tiny checkpoints of the sequence classifiers that transformers has, with random weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.models.classifier import Classifier
from rmeval.types import Conversation, Message
from tests.checkpoints import CHATML, VOCABULARY, make_tokenizer

POSITIONS = 600
_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": POSITIONS,
    "bos_token_id": 3,
    "eos_token_id": 2,
    "cls_token_id": 3,
    "sep_token_id": 2,
    "initializer_range": 0.2,
    # The same by the names that older architectures have for it.
    "d_model": 32,
    "n_embd": 32,
    "dim": 32,
    "emb_dim": 32,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "n_head": 2,
    "n_heads": 2,
    "num_heads": 2,
    "d_ff": 64,
    "d_kv": 16,
    "hidden_dim": 64,
    "dff": 64,
    "d_inner": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "ffn_dim": 64,
    "n_positions": POSITIONS,
    "n_ctx": POSITIONS,
    "max_seq_len": POSITIONS,
    "n_inner": 64,
    "embedding_size": 16,
    "word_embed_proj_dim": 32,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
}
_HALVES = {"num_key_value_heads": 2}
_LATENT = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "num_key_value_heads": 2,
    "head_dim": None,
}
_EXPERTS = {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1}
_LINEAR = {
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
_MAMBA = {
    "attn_layer_period": 2,
    "attn_layer_offset": 1,
    "expert_layer_period": 2,
    "expert_layer_offset": 1,
    "mamba_d_state": 8,
    "mamba_dt_rank": 4,
    "use_mamba_kernels": False,
}
DECODERS: dict[str, dict[str, Any]] = {
    "arcee": {},
    "biogpt": {},
    "bloom": {},
    "ctrl": {},
    "deepseek_v2": {**_LATENT, **_EXPERTS},
    "deepseek_v3": {**_LATENT, **_EXPERTS},
    "diffllama": _HALVES,
    "doge": {},
    "exaone4": {},
    "falcon": {"head_dim": None},
    "gemma": {},
    "gemma2": {},
    "gemma3_text": {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
    "glm": {},
    "glm4": {},
    "gpt2": {},
    "gpt_bigcode": {},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gpt_neox": {},
    "gpt_oss": {},
    "gptj": {"rotary_dim": 8},
    "helium": {},
    "hunyuan_v1_dense": {},
    "hunyuan_v1_moe": {"moe_topk": 2},
    "jamba": _MAMBA,
    "jetmoe": {},
    "llama": {},
    "minicpm3": _LATENT,
    "minimax": {},
    "ministral": {},
    "mistral": {"sliding_window": 8},
    "mistral4": {**_LATENT, **_EXPERTS},
    "mixtral": {},
    "modernbert-decoder": {},
    "mpt": {},
    "nemotron": {},
    "olmo": {},
    "olmo2": {},
    "olmo3": {},
    "openai-gpt": {},
    "opt": {},
    "persimmon": {},
    "phi": {},
    "phi3": {},
    "phimoe": {},
    "qwen2": {},
    "qwen2_moe": {},
    "qwen3": {},
    "qwen3_5_text": _LINEAR,
    "qwen3_moe": {},
    "qwen3_next": {**_LINEAR, "decoder_sparse_step": 1},
    "seed_oss": {},
    "smollm3": {},
    "stablelm": {},
    "starcoder2": {},
    "xlnet": {"max_position_embeddings": None},
}
ENCODERS: dict[str, dict[str, Any]] = {
    "albert": {},
    "bert": {},
    "big_bird": {"attention_type": "original_full"},
    "camembert": {},
    "convbert": {},
    "data2vec-text": {},
    "deberta": {},
    "deberta-v2": {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]},
    "distilbert": {},
    "electra": {},
    "ernie": {},
    "esm": {"mask_token_id": 399, "token_dropout": False},
    "esmc": {"num_key_value_heads": None},
    "eurobert": {},
    "flaubert": {},
    "fnet": {},
    "gte": {},
    "ibert": {},
    "jina_embeddings_v3": {},
    "longformer": {"attention_window": 8},
    "megatron-bert": {},
    "mobilebert": {"embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "modernbert": {},
    "mpnet": {},
    "nomic_bert": {},
    "nystromformer": {"segment_means_seq_len": POSITIONS, "num_landmarks": POSITIONS},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 16},
    "roberta": {},
    "roberta-prelayernorm": {},
    "roformer": {},
    "squeezebert": {"embedding_size": 32},
    "ultrabert": {},
    "xlm": {},
    "xlm-roberta": {},
    "xlm-roberta-xl": {},
    "xmod": {"default_language": "en_XX"},
}
_ENDS = {"eos_token_id": 3, "decoder_start_token_id": 0}
BOTH: dict[str, dict[str, Any]] = {
    "bart": _ENDS,
    "bigbird_pegasus": {**_ENDS, "attention_type": "original_full"},
    "mbart": _ENDS,
    "mt5": _ENDS,
    "mvp": _ENDS,
    "plbart": _ENDS,
    "t5": _ENDS,
    "umt5": _ENDS,
}
"""With an encoder and a decoder; all take the output at the end-of-text token."""
ALL = {**DECODERS, **ENCODERS, **BOTH}
TEMPLATE = CHATML.replace("{% if add", "{{ '<|bos|>' }}{% if add")
"""Ends in the token that those of the last kind look for."""
CONVERSATIONS: list[Conversation] = [
    (Message("user", "what is the capital"), Message("assistant", answer))
    for answer in ("the capital is so", "why", "it is the land of the land, is it", "so " * 40, "", "is it? " * 9)
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What rmeval gives for a classifier, beside what its own forward gives.

    Attributes:
        architecture: Name of its class.
        read: How rmeval reads it.
        shared: Whether common prefixes are computed once.
        difference: The largest difference of a score.
        spread: Standard deviation of the scores.
        tokens: Whether the tokens are those of `tokenizer.json`.
        refusal: The sentence, if rmeval does not score it.
    """

    architecture: str
    read: str = ""
    shared: bool = False
    difference: float = 0.0
    spread: float = 0.0
    tokens: str = ""
    refusal: str = ""


def slow_but(quick: Collection[str], kinds: Iterable[str]) -> list[Any]:
    """Parameters of a test that only CI runs with all kinds; `make test` runs it with some."""
    found = [kind if kind in quick else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]
    assert sum(isinstance(one, str) for one in found) == len(quick), "a name of another kind"
    return found


def compare(folder: Path) -> Comparison:
    """Scores `CONVERSATIONS` by rmeval, and by the model's own forward on the same tokens, one by one and unpadded."""
    own = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    name = type(own).__name__
    try:
        model = load_model(str(folder))
        scores = rmeval.score(model, CONVERSATIONS)
    except ModelError as error:
        return Comparison(name, refusal=str(error))
    assert isinstance(model, Classifier)
    expected = []
    for rendered in model.texts.renderer.render(CONVERSATIONS):
        ids = torch.tensor([rendered.tokens.tolist()])
        with torch.inference_mode():
            expected.append(float(own(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, 0]))
    facts = model.facts()
    shared = isinstance(facts.get("prefix_sharing"), dict)
    largest = float(np.max(np.abs(np.array(scores) - np.array(expected))))
    source = model.texts.renderer.tokens
    tokens = "equal" if source.difference is None else f"{'file' if source.uses_file else 'class'} used"
    return Comparison(name, facts["readout"]["read"], shared, largest, float(np.std(expected)), tokens)


def make_classifier(path: Path, kind: str, **more: Any) -> Path:
    """Saves a tiny classifier of a model type, with a tokenizer."""
    made(AutoModelForSequenceClassification, kind, num_labels=1, **more).save_pretrained(path)
    make_tokenizer(model_max_length=10**30, chat_template=TEMPLATE).save_pretrained(path)
    return path


def made(auto: Any, kind: str, **more: Any) -> Any:
    """A tiny network of a model type, by one of the auto classes of transformers."""
    known = AutoConfig.for_model(kind)
    shape = {name: value for name, value in _SHAPE.items() if hasattr(known, name)} | ALL[kind]
    shape = {name: value for name, value in shape.items() if value is not None}
    torch.manual_seed(0)
    model = auto.from_config(AutoConfig.for_model(kind, **{"pad_token_id": 0} | shape | more)).eval()
    for name, weight in model.named_parameters():
        # Some architectures start with heads and gates of zeros, or with weights too small to tell scores from.
        if weight.ndim > 1 and "position" not in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model


def make_value_head(
    path: Path,
    kind: str,
    head: str,
    *,
    bias: float | None = None,
    outputs: int = 1,
    shards: str | None = None,
    beside: bool = False,
    dtype: torch.dtype = torch.float32,
    tokenizer: Any = None,
    **more: Any,
) -> Path:
    """Saves a tiny language model of a model type with one more linear layer in float32, as trainers save value heads.

    Args:
        path: The folder.
        kind: The model type.
        head: Name of the layer.
        bias: Its bias, if it has one.
        outputs: Its number of outputs.
        shards: Largest size of a file of weights.
        beside: Whether the layer is in a file of its own.
        dtype: Number format of the language model.
        tokenizer: The tokenizer, if not the usual one.
        **more: Values of the config.
    """
    model = made(AutoModelForCausalLM, kind, **more).to(dtype)
    model.save_pretrained(path, **({"max_shard_size": shards} if shards else {}))
    (tokenizer or make_tokenizer(model_max_length=10**30)).save_pretrained(path)
    layer = {f"{head}.weight": torch.randn(outputs, model.config.hidden_size)}
    if bias is not None:
        layer[f"{head}.bias"] = torch.full((outputs,), bias)
    file = path / ("value_head.safetensors" if beside else "model.safetensors")
    save_file((load_file(file) if file.exists() else {}) | layer, file, {"format": "pt"})
    return path
