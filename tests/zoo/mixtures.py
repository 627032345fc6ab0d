"""Tiny checkpoints of reward models with several outputs, gates or deep heads, in their published layouts.

All weights come from numpy's PCG64, so that every machine writes the same bytes; names, config keys and the order of
layers are those of the published checkpoints, only the sizes are smaller. Token ids that the published code looks for
are kept, so that a vocabulary may have gaps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from tests.zoo.tokenizers import TOKENIZERS

HIDDEN, INNER, LAYERS, HEADS = 16, 24, 2, 2
Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, np.ndarray]

CONVERSATIONS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("user", "What is the capital of France?"), ("assistant", "Paris.")),
    (("user", "What is the capital of France?"), ("assistant", "It is Lyon, which lies on the Rhone.")),
    (
        ("user", "Name a prime number."),
        ("assistant", "Seven."),
        ("user", "And a larger one, please?"),
        ("assistant", "Eleven is prime.\n\nSo is 13."),
    ),
    (("system", "Answer in one word."), ("user", "Sky colour?"), ("assistant", "Blue")),
    (("user", "Quote the end of a turn."), ("assistant", "A turn ends with {end} in this format, doesn't it?")),
    (("user", "a"), ("assistant", "b")),
    (("user", "List three fruits.\n\n- ripe\n- sweet"), ("assistant", "- apple\n- pear\n- plum\n\nAll of them ripen.")),
)
"""The conversations that are scored; `{end}` stands for the text of the token that ends a turn."""


def conversations(end: str, system: bool) -> list[list[dict[str, str]]]:
    """The conversations for a template, without those that have a system message if it has no such role."""
    return [
        [{"role": role, "content": content.replace("{end}", end)} for role, content in talk]
        for talk in CONVERSATIONS
        if system or talk[0][0] != "system"
    ]


def _draw(seed: int, shapes: Shapes) -> Arrays:
    """Random float32 weights; scales and variances are around one, and none of them is trivial."""
    random = np.random.Generator(np.random.PCG64(seed))
    found: Arrays = {}
    for name, shape in shapes.items():
        drawn = random.standard_normal(shape, dtype=np.float32)
        if name.endswith("running_var"):
            found[name] = (0.5 + np.abs(drawn)).astype(np.float32)
        elif name.endswith("num_batches_tracked"):
            found[name] = np.array(7, dtype=np.int64)
        elif name == "reward_transform_matrix":
            # QRM-Llama3-8B holds it in bfloat16.
            found[name] = _cut(drawn / 4)
        elif name.endswith(("norm.weight", "logit_scale")):
            found[name] = (1 + 0.3 * drawn).astype(np.float32)
        elif len(shape) == 2 and "embed_tokens" not in name:
            # URM's gate is not normalised: large numbers would cancel, and float32 show only its own errors.
            gain = 0.3 if name.startswith(("weights.fc", "score.weight")) else 1.0
            found[name] = (gain * drawn / np.sqrt(shape[1])).astype(np.float32)
        else:
            found[name] = 0.5 * drawn
    return found


def _cut(array: np.ndarray) -> np.ndarray:
    """The values without the bits that bfloat16 does not have."""
    return (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def _body(kind: str, vocabulary: int, prefix: str = "model.") -> dict[str, tuple[int, ...]]:
    """The names and shapes of a decoder's weights."""
    inside = {
        **{f"self_attn.{one}_proj.weight": (HIDDEN, HIDDEN) for one in "qkvo"},
        "mlp.gate_proj.weight": (INNER, HIDDEN),
        "mlp.up_proj.weight": (INNER, HIDDEN),
        "mlp.down_proj.weight": (HIDDEN, INNER),
        "input_layernorm.weight": (HIDDEN,),
        "post_attention_layernorm.weight": (HIDDEN,),
    }
    if kind == "qwen2":
        inside |= {f"self_attn.{one}_proj.bias": (HIDDEN,) for one in "qkv"}
    if kind == "gemma2":
        inside |= {f"{one}_feedforward_layernorm.weight": (HIDDEN,) for one in ("pre", "post")}
    shapes: dict[str, tuple[int, ...]] = {f"{prefix}embed_tokens.weight": (vocabulary, HIDDEN)}
    for layer in range(LAYERS):
        shapes |= {f"{prefix}layers.{layer}.{name}": shape for name, shape in inside.items()}
    return shapes | {f"{prefix}norm.weight": (HIDDEN,)}


def _config(kind: str, vocabulary: int, **own: Any) -> dict[str, Any]:
    shared = {
        "model_type": kind,
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "torch_dtype": "float32",
        "tie_word_embeddings": False,
    }
    if kind == "gemma2":
        shared |= {
            "head_dim": HIDDEN // HEADS,
            "query_pre_attn_scalar": 4,
            "sliding_window": 64,
            # Published: 50, which logits this small do not reach.
            "attn_logit_softcapping": 1.0,
            "final_logit_softcapping": 30.0,
            "hidden_activation": "gelu_pytorch_tanh",
        }
    return shared | own


VOCABULARIES = {"llama": 128257, "gemma2": 2600, "qwen2": 640}
SPECIAL_IDS = {
    "llama": {"bos_token_id": 128000, "eos_token_id": 128009, "pad_token_id": 128256},
    "gemma2": {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0},
    "qwen2": {"bos_token_id": 600, "eos_token_id": 602},
}


def _write(
    folder: Path,
    kind: str,
    seed: int,
    head: Shapes,
    own: Mapping[str, Any],
    beside: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint: body, head and tokenizer.

    Args:
        folder: Its folder.
        kind: The body: `llama`, `gemma2` or `qwen2`.
        seed: The seed of its weights.
        head: Names and shapes of the head's weights.
        own: Further fields of the config.
        beside: By prefix of a name: the pickle beside the weights that holds the weight without the prefix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _draw(seed, _body(kind, VOCABULARIES[kind]) | dict(head))
    for prefix, file in (beside or {}).items():
        inside = {name: arrays.pop(name) for name in sorted(arrays) if name.startswith(prefix)}
        torch.save({name.removeprefix(prefix): torch.from_numpy(one) for name, one in inside.items()}, folder / file)
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    config = _config(kind, VOCABULARIES[kind], **{**SPECIAL_IDS[kind], **own})
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    TOKENIZERS[kind](folder)


def _deep(name: str, widths: tuple[int, ...], step: int = 2) -> dict[str, tuple[int, ...]]:
    """The layers of a `Sequential`, at every `step`-th number, with biases."""
    found: dict[str, tuple[int, ...]] = {}
    for number, (before, after) in enumerate(pairwise(widths)):
        found |= {f"{name}.{step * number}.weight": (after, before), f"{name}.{step * number}.bias": (after,)}
    return found


def _normed_gate(outputs: int, hidden: int, dropout: bool) -> dict[str, tuple[int, ...]]:
    """QRM's gate: three times linear, ReLU, batch norm (and dropout in between), then a linear layer with a bias."""
    step = 4 if dropout else 3
    found: dict[str, tuple[int, ...]] = {}
    for number in range(3):
        found[f"gating.layers.{step * number}.weight"] = (hidden, HIDDEN if number == 0 else hidden)
        norm = f"gating.layers.{step * number + 2}"
        found |= {f"{norm}.{one}": (hidden,) for one in ("weight", "bias", "running_mean", "running_var")}
        found[f"{norm}.num_batches_tracked"] = ()
    last = f"gating.layers.{step * 2 + 3}"
    return found | {f"{last}.weight": (outputs, hidden), f"{last}.bias": (outputs,), "gating.logit_scale": (1,)}


def grm_linear(folder: Path) -> None:
    """GRM with a linear value head, whose config states its type."""
    head: dict[str, tuple[int, ...]] = {"v_head.summary.weight": (1, HIDDEN), "v_head.summary.bias": (1,)}
    own: dict[str, Any] = {"architectures": ["LlamaForCausalLM"], "vhead_layer_type": "linear"}
    _write(folder, "llama", 101, head, own)


def grm_mlp(folder: Path) -> None:
    """GRM with one hidden layer, the default of its class."""
    head = _deep("v_head.summary", (HIDDEN, 20, 1))
    own: dict[str, Any] = {"architectures": ["Gemma2ForCausalLM"], "vhead_layer_type": "mlp"}
    _write(folder, "gemma2", 102, head, own | {"vhead_num_neurons": 20, "vhead_num_layers": 1})


def grm_mlp2(folder: Path) -> None:
    """GRM with two hidden layers."""
    head = _deep("v_head.summary", (HIDDEN, 20, 20, 1))
    own: dict[str, Any] = {"architectures": ["LlamaForCausalLM"], "vhead_layer_type": "mlp"}
    _write(folder, "llama", 103, head, own | {"vhead_num_neurons": 20, "vhead_num_layers": 2})


def ldl(folder: Path) -> None:
    """LDL-Reward-Gemma-2-27B: 22 distributions over 10 levels and a gate, both in pickles beside the weights."""
    head = _deep("regression_layer.network", (HIDDEN, 32, 32, 220))
    head |= _deep("gating_layer.network", (HIDDEN, 32, 32, 22), step=3)
    own: dict[str, Any] = {
        "architectures": ["LDLRewardModel27B"],
        "temperature": 2.5,
        "softmax": True,
        "num_objectives": 220,
    }
    beside = {"regression_layer.": "regression_layer.pt", "gating_layer.": "gating_layer.pt"}
    _write(folder, "gemma2", 104, head, own, beside)


def _gated(objectives: int, **own: Any) -> dict[str, Any]:
    return {"num_objectives": objectives, "num_labels": 1, "gating_hidden_dim": 24, "gating_n_hidden": 3} | own


def qrm31(folder: Path) -> None:
    """QRM-Llama3.1-8B: 19 objectives with 19 quantiles each, a gate with batch norm, and a transform matrix."""
    head: dict[str, tuple[int, ...]] = {
        "regression_layer.weight": (19 * 19, HIDDEN),
        "reward_transform_matrix": (19, 19),
    }
    own = _gated(19, num_quantiles=19, gating_temperature=3.5, architectures=["LlamaForRewardModelWithGating31"])
    _write(folder, "llama", 105, head | _normed_gate(19, 24, dropout=False), own)


def qrm3(folder: Path) -> None:
    """QRM-Llama3-8B: as QRM-Llama3.1-8B, of another class."""
    head: dict[str, tuple[int, ...]] = {
        "regression_layer.weight": (19 * 19, HIDDEN),
        "reward_transform_matrix": (19, 19),
    }
    own = _gated(19, num_quantiles=19, gating_temperature=10, architectures=["LlamaForRewardModelWithGating3"])
    _write(folder, "llama", 106, head | _normed_gate(19, 24, dropout=False), own)


def qrm_gemma(folder: Path) -> None:
    """QRM-Gemma-2-27B: 5 objectives with 19 quantiles each, no transform matrix, dropout between the gate's layers."""
    head: dict[str, tuple[int, ...]] = {"regression_layer.weight": (5 * 19, HIDDEN)} | _normed_gate(5, 24, dropout=True)
    own = _gated(5, num_quantiles=19, architectures=["Gemma2ForQuantileSequenceClassification"])
    _write(folder, "gemma2", 107, head, own | {"gating_temperature": 1.5})


def armorm(folder: Path) -> None:
    """ArmoRM-Llama3-8B-v0.1: 19 objectives, a transform matrix, and a gate of four linear layers with biases."""
    head: dict[str, tuple[int, ...]] = {"regression_layer.weight": (19, HIDDEN), "reward_transform_matrix": (19, 19)}
    head |= _deep("gating.layers", (HIDDEN, 24, 24, 24, 19), step=1) | {"gating.logit_scale": (1,)}
    own = _gated(19, gating_temperature=7, architectures=["LlamaForRewardModelWithGating"])
    _write(folder, "llama", 108, head, own)


def urm31(folder: Path) -> None:
    """URM-LLaMa-3.1-8B: means and deviations of 5 attributes, and a gate at the same token."""
    head: dict[str, tuple[int, ...]] = {"score.weight": (10, HIDDEN)} | _deep("weights.fc", (HIDDEN, HIDDEN, HIDDEN, 5))
    own: dict[str, Any] = {"architectures": ["LlamaForSequenceClassificationWithNormal_Weights"]}
    _write(folder, "llama", 109, head, own | {"id2label": {str(number): f"LABEL_{number}" for number in range(10)}})


def qwen_rm(folder: Path) -> None:
    """Qwen2.5-Math-RM-72B and WorldPM-72B: two layers with a ReLU at the last token."""
    own: dict[str, Any] = {
        "architectures": ["Qwen2ForRewardModel"],
        "auto_map": {
            "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
            "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel",
        },
    }
    _write(folder, "qwen2", 110, _deep("score", (HIDDEN, HIDDEN, 1)), own)


def skywork_vl(folder: Path) -> None:
    """Skywork-VL-Reward-7B: Qwen2.5-VL in the layout of transformers 4.49, and TRL's value head in a file beside it."""
    vision: dict[str, tuple[int, ...]] = {f"blocks.0.{name}": shape for name, shape in _VISION_BLOCK.items()}
    vision |= {"patch_embed.proj.weight": (HIDDEN, 3, 2, 4, 4), "merger.ln_q.weight": (HIDDEN,)}
    vision |= {"merger.mlp.0.weight": (4 * HIDDEN, 4 * HIDDEN), "merger.mlp.0.bias": (4 * HIDDEN,)}
    vision |= {"merger.mlp.2.weight": (HIDDEN, 4 * HIDDEN), "merger.mlp.2.bias": (HIDDEN,)}
    head = {f"visual.{name}": shape for name, shape in vision.items()} | {"lm_head.weight": (640, HIDDEN)}
    stated: dict[str, Any] = {
        "depth": 1,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_heads": HEADS,
        "patch_size": 4,
    }
    stated |= {"out_hidden_size": HIDDEN, "spatial_merge_size": 2, "window_size": 16, "fullatt_block_indexes": [0]}
    own: dict[str, Any] = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "vision_config": stated | {"model_type": "qwen2_5_vl"},
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    }
    own |= {"image_token_id": 610, "video_token_id": 611, "vision_start_token_id": 612, "vision_end_token_id": 613}
    _write(folder, "qwen2", 111, head, own)
    beside = _draw(112, {"v_head.summary.weight": (1, HIDDEN), "v_head.summary.bias": (1,)})
    save_file(beside, folder / "value_head.safetensors", metadata={"format": "pt"})


def sarm(folder: Path) -> None:
    """SARM: the first half of the layers, and a linear layer on the features of a sparse autoencoder."""
    head: dict[str, tuple[int, ...]] = {"score.weight": (1, 64), "sae.pre_bias": (HIDDEN,), "sae.latent_bias": (64,)}
    head |= {"sae.encoder.weight": (64, HIDDEN), "sae.decoder.weight": (HIDDEN, 64)}
    own: dict[str, Any] = {"architectures": ["LlamaSARM"], "num_hidden_layers": 2 * LAYERS, "num_labels": 1}
    own |= {"sae_k": 9, "sae_latent_size": 64, "sae_hidden_state_source_layer": LAYERS, "sarm_use_topk": True}
    _write(folder, "llama", 113, head, own)


_VISION_BLOCK: Shapes = {
    "norm1.weight": (HIDDEN,),
    "norm2.weight": (HIDDEN,),
    "attn.qkv.weight": (3 * HIDDEN, HIDDEN),
    "attn.qkv.bias": (3 * HIDDEN,),
    "attn.proj.weight": (HIDDEN, HIDDEN),
    "attn.proj.bias": (HIDDEN,),
    **{f"mlp.{one}_proj.weight": (INNER, HIDDEN) for one in ("gate", "up")},
    **{f"mlp.{one}_proj.bias": (INNER,) for one in ("gate", "up")},
    "mlp.down_proj.weight": (HIDDEN, INNER),
    "mlp.down_proj.bias": (HIDDEN,),
}
MAKERS: Mapping[str, Callable[[Path], None]] = {
    "grm-linear": grm_linear,
    "grm-mlp": grm_mlp,
    "grm-mlp2": grm_mlp2,
    "ldl": ldl,
    "qrm-llama3.1": qrm31,
    "qrm-llama3": qrm3,
    "qrm-gemma2": qrm_gemma,
    "armorm": armorm,
    "urm": urm31,
    "qwen-math-rm": qwen_rm,
    "worldpm": qwen_rm,
    "skywork-vl": skywork_vl,
    "sarm": sarm,
}
"""By name of a checkpoint: the function that writes it."""
NO_SYSTEM = ("grm-mlp", "ldl", "qrm-gemma2")
ENDS = {"llama": "<|eot_id|>", "gemma2": "<end_of_turn>", "qwen2": "<|im_end|>", "qwen2_5_vl": "<|im_end|>"}


def scored(name: str, folder: Path) -> list[list[dict[str, str]]]:
    """The conversations that are scored with a checkpoint."""
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    return conversations(ENDS[kind], name not in NO_SYSTEM)
