"""Arguments of vLLM that users may pass as `model_kwargs`, and those that rmeval sets itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted

__all__ = ["PLACEMENT", "SCORES", "check_arguments", "check_device", "config_values", "kept_arguments"]

PLACEMENT = (
    "block_size",
    "cpu_offload_gb",
    "disable_custom_all_reduce",
    "distributed_executor_backend",
    "download_dir",
    "enable_chunked_prefill",
    "enable_expert_parallel",
    "enable_prefix_caching",
    "gpu_memory_utilization",
    "kv_cache_memory_bytes",
    "max_model_len",
    "max_num_batched_tokens",
    "max_num_seqs",
    "max_parallel_loading_workers",
    "pipeline_parallel_size",
    "tensor_parallel_size",
)
"""Arguments that set where, and with how much memory, a network runs, and do not change scores by more than its noise.
A limit of the length is part of a run's identity in any case."""
SCORES = (
    "attention_backend",
    "compilation_config",
    "enforce_eager",
    "hf_overrides",
    "kv_cache_dtype",
    "model_impl",
    "quantization",
    "quantization_config",
)
"""Arguments that may change scores."""
_OPTION = "is an option of rmeval: give `{}` instead"
_SET = "is set by rmeval: leave it out"
_REFUSED = {
    "convert": _SET,
    "data_parallel_size": "runs several copies of the model: use the engine ray",
    "device_map": "is an argument of the engine hf: give tensor_parallel_size instead",
    "dtype": _OPTION.format("dtype"),
    "enable_lora": "is for adapters: merge the adapter into its base model, or use the engine hf",
    "head_dtype": "is a value of the config: give hf_overrides={'head_dtype': ...}",
    "max_position_embeddings": "is a value of the config: give hf_overrides={'max_position_embeddings': ...}",
    "model": _SET,
    "num_labels": "is a value of the config: give hf_overrides={'num_labels': ...}",
    "pooler_config": _SET,
    "revision": _OPTION.format("revision"),
    "runner": _SET,
    "task": _SET,
    "tokenizer": _OPTION.format("tokenizer"),
    "torch_dtype": _OPTION.format("dtype"),
    "trust_remote_code": _OPTION.format("trust_remote_code"),
}
_COUNTS = ("max_model_len", "max_num_batched_tokens", "max_num_seqs", "pipeline_parallel_size", "tensor_parallel_size")
_CLASSES = ("architectures", "auto_map", "model_type")


def kept_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given arguments that may change scores."""
    return {name: value for name, value in sorted(given.items()) if name in SCORES}


def config_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the checkpoint's config that `hf_overrides` replaces."""
    found: Any = given.get("hf_overrides") or {}
    return {name: value for name, value in found.items() if name != "head_dtype"}


def check_arguments(given: Mapping[str, Any]) -> None:
    """Check arguments of vLLM.

    Raises:
        ModelError: If an argument is not passed on, or its value has the wrong type.
    """
    for name, value in given.items():
        if name in _REFUSED:
            raise ModelError(f"`model_kwargs` {name} {_REFUSED[name]}")
        if name not in (*PLACEMENT, *SCORES):
            known = chosen_from(name, sorted((*PLACEMENT, *SCORES)))
            raise ModelError(f"`model_kwargs` {name} is not an argument that the engine vllm takes: {known}")
        if name in _COUNTS and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ModelError(f"`model_kwargs` {name}={quoted(value, 40)} must be a whole number from 1 up")
    overrides = given.get("hf_overrides") or {}
    if not isinstance(overrides, Mapping):
        raise ModelError(f"`model_kwargs` hf_overrides={quoted(overrides, 40)} must map names of the config to values")
    if wrong := next((name for name in _CLASSES if name in overrides), None):
        raise ModelError(
            f"`model_kwargs` hf_overrides has {wrong}, which names another class: change the checkpoint's config.json"
        )


def check_device(name: str) -> None:
    """Check the name of a device: vLLM uses those that it sees.

    Raises:
        ModelError: If it is not.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ModelError(
            f"the engine vllm uses the devices that it sees, and not {name!r} alone: leave `device` out, and choose "
            "GPUs with the environment variable CUDA_VISIBLE_DEVICES"
        )
