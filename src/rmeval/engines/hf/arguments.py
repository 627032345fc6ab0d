"""Arguments of `from_pretrained` that users may pass as `model_kwargs`, and those that rmeval rejects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from rmeval.errors import ModelError

__all__ = ["check_arguments", "kept_arguments"]

_OPTION = "is an option of rmeval: give `{}` instead"
_RETURNS = "changes what from_pretrained returns, which rmeval depends on: leave it out"
_WEIGHTS = "names weights that the model's digest does not cover: leave it out"
_CODE = "runs code that the model's digest does not cover: leave it out"
_REFUSED = {
    "adapter_kwargs": "is for adapters inside a model's folder: give the adapter's folder as the model",
    "adapter_name": "is for adapters inside a model's folder: give the adapter's folder as the model",
    "allow_all_kernels": _CODE,
    "auto_map": "names classes to run: change the checkpoint's config.json, and give `trust_remote_code`",
    "config": "replaces the checkpoint's config: give single values of it, such as num_labels=1",
    "configuration_files": "names another config: change the checkpoint's config.json",
    "dtype": _OPTION.format("dtype"),
    "from_flax": _WEIGHTS,
    "from_tf": _WEIGHTS,
    "generation_config": "is for generating text, which rmeval does not do: leave it out",
    "kernel_config": _CODE,
    "output_loading_info": _RETURNS,
    "quantizer": _CODE,
    "return_unused_kwargs": _RETURNS,
    "revision": _OPTION.format("revision"),
    "state_dict": _WEIGHTS,
    "torch_dtype": _OPTION.format("dtype"),
    "tqdm_class": _RETURNS,
    "transformers_weights": _WEIGHTS,
    "trust_remote_code": _OPTION.format("trust_remote_code"),
    "use_kernels": _CODE,
}
"""Arguments that would change what is loaded but not the model's digest, or that rmeval sets itself."""
_PLACEMENT = ("cache_dir", "device_map", "local_files_only", "low_cpu_mem_usage", "max_memory", "offload_folder")
"""Arguments that set where files and weights are kept, and do not change scores."""
_PLACES = ("code_revision", "gguf_file", "subfolder", "variant")
"""Arguments that name files of the checkpoint, or a revision."""


def kept_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given arguments that may change scores."""
    return {name: value for name, value in sorted(given.items()) if name not in _PLACEMENT}


def check_arguments(given: Mapping[str, Any]) -> None:
    """Check arguments of `from_pretrained`.

    Raises:
        ModelError: If an argument is not allowed, or its value has the wrong type.
    """
    for name, value in given.items():
        if name in _REFUSED or name.startswith("_"):
            raise ModelError(f"`model_kwargs` {name} {_REFUSED.get(name, 'is private to transformers: leave it out')}")
        if name in _PLACES and value is not None:
            _check_place(name, value)
    if (wanted := given.get("use_safetensors", True)) is not True and wanted is not False:
        raise ModelError(
            f"`model_kwargs` use_safetensors={wanted!r} is neither true nor false: give false if you trust a "
            "checkpoint whose weights are pickles, or leave it out"
        )
    if given.get("weights_only", True) is not True:
        raise ModelError("`model_kwargs` weights_only would let pickles run any code: leave it out")
    if "/" in (attention := str(given.get("attn_implementation"))):
        raise ModelError(
            f"`model_kwargs` attn_implementation={attention} is code on the hub, which the model's digest does not "
            "cover: give an implementation of transformers, such as eager or sdpa"
        )


def _check_place(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ModelError(f"`model_kwargs` {name}={value!r} is not a string: give the name of a file or folder")
    if PurePath(value).is_absolute() or ".." in PurePath(value).parts:
        raise ModelError(
            f"`model_kwargs` {name}={value} is outside the checkpoint: give the checkpoint's own folder as the model"
        )
    if name == "gguf_file" and Path(value).is_file():
        # transformers looks for it in the working directory first.
        raise ModelError(
            f"`model_kwargs` gguf_file={value} is also a file in the working directory, which transformers would load "
            "instead of the checkpoint's: run rmeval in another directory"
        )
