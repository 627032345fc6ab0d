"""Arguments of `from_pretrained` that a user may give with `model_kwargs`, and those that rmeval refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from rmeval.errors import ModelError

__all__ = ["check_arguments", "kept_arguments"]

_OPTION = "is an option of rmeval: give `{}` instead"
_RETURNS = "changes what from_pretrained returns, which rmeval reads: leave it out"
_WEIGHTS = "names weights that the model's digest does not take in: leave it out"
_CODE = "runs code that the model's digest does not take in: leave it out"
_REFUSED = {
    "adapter_kwargs": "is of adapters inside of a model's folder: give the adapter's folder as the model",
    "adapter_name": "is of adapters inside of a model's folder: give the adapter's folder as the model",
    "allow_all_kernels": _CODE,
    "auto_map": "names classes to run: change the checkpoint's config.json, and give `trust_remote_code`",
    "config": "replaces the checkpoint's config: give single values of it, such as num_labels=1",
    "configuration_files": "names another config: change the checkpoint's config.json",
    "dtype": _OPTION.format("dtype"),
    "from_flax": _WEIGHTS,
    "from_tf": _WEIGHTS,
    "generation_config": "is of generating text, which rmeval does not do: leave it out",
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
"""Arguments that would change what is loaded without changing the model's digest, or that rmeval itself decides."""
_PLACEMENT = ("cache_dir", "device_map", "local_files_only", "low_cpu_mem_usage", "max_memory", "offload_folder")
"""Arguments that say where things lie, and change no score."""
_PLACES = ("code_revision", "gguf_file", "subfolder", "variant")
"""Arguments that name files of the checkpoint, and a revision."""


def kept_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that scores may depend on."""
    return {name: value for name, value in sorted(given.items()) if name not in _PLACEMENT}


def check_arguments(given: Mapping[str, Any]) -> None:
    """Checks the arguments of a checkpoint.

    Raises:
        ModelError: If one is refused, or its value is of a wrong kind.
    """
    for name, value in given.items():
        if name in _REFUSED or name.startswith("_"):
            raise ModelError(f"`model_kwargs` {name} {_REFUSED.get(name, 'is private to transformers: leave it out')}")
        if name in _PLACES and value is not None:
            _check_place(name, value)
    if (wanted := given.get("use_safetensors", True)) is not True and wanted is not False:
        raise ModelError(
            f"`model_kwargs` use_safetensors={wanted!r} is neither true nor false: give false where you trust a "
            "checkpoint whose weights are pickles, or leave it out"
        )
    if given.get("weights_only", True) is not True:
        raise ModelError("`model_kwargs` weights_only would let pickles run any code: leave it out")
    if "/" in (attention := str(given.get("attn_implementation"))):
        raise ModelError(
            f"`model_kwargs` attn_implementation={attention} is code on the hub, which the model's digest does not "
            "take in: give one that comes with transformers, such as eager or sdpa"
        )


def _check_place(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ModelError(f"`model_kwargs` {name}={value!r} is no text: give the name of a file or folder")
    if PurePath(value).is_absolute() or ".." in PurePath(value).parts:
        raise ModelError(
            f"`model_kwargs` {name}={value} is outside of the checkpoint: give the checkpoint's own folder as the model"
        )
    if name == "gguf_file" and Path(value).is_file():
        # transformers looks for it in the working directory first.
        raise ModelError(
            f"`model_kwargs` gguf_file={value} is also a file of the working directory, which transformers would take "
            "instead of the checkpoint's: give the command in another directory"
        )
