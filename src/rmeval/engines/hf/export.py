"""Writes a checkpoint with a linear value head as the sequence classifier that transformers has for its architecture.

Servers such as vLLM, SGLang and TEI read the layer `score` of a sequence classifier, and no head of another name.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from rmeval.engines.base import TokenSequence
from rmeval.engines.hf.devices import find_device
from rmeval.engines.hf.heads import SEQUENCE_CLASSIFIER, read_weight, unpickled, weight_files
from rmeval.engines.hf.network import Network
from rmeval.engines.hf.own_forward import FLOORS
from rmeval.engines.hf.quiet import quiet
from rmeval.engines.hf.refusals import cannot_load
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.types import FloatArray

__all__ = ["Target", "find_target", "own_scores", "write_classifier"]

_SCORE = "score"
_WORDS = ("lm_head.", "embed_out.", "output_embeddings.")
"""Weights that turn hidden states into words, which a classifier does not have."""


@dataclass(frozen=True, slots=True)
class Target:
    """The sequence classifier that a checkpoint becomes.

    Attributes:
        architecture: Its class in transformers.
        head: Name of the checkpoint's layer that becomes `score`.
        bias: The bias of that layer, which the classifier does not have.
        names: The classifier's name of each weight of the body.
        left_out: Other weights of the checkpoint, besides those that turn hidden states into words.
    """

    architecture: str
    head: str
    bias: float
    names: Mapping[str, str]
    left_out: tuple[str, ...]


def find_target(network: Network) -> Target:
    """Find the sequence classifier that a checkpoint becomes, without loading more than its head.

    Raises:
        ModelError: If it has no single linear layer with one output that computes the score, or transformers has no
            sequence classifier with a layer `score` for its architecture.
    """
    checkpoint = network.checkpoint
    source = checkpoint.source
    if checkpoint.adapter is not None:
        raise ModelError(
            f"{checkpoint.name} is an adapter: merge it into its base (merge_and_unload of peft, then "
            "save_pretrained), and export the result"
        )
    if checkpoint.layout.gguf is not None or checkpoint.stated().get("quantization_config"):
        raise ModelError(f"the weights of {source} are quantised: export the checkpoint from which they were made")
    head = network.find_head()
    if head is None and any(name.endswith(SEQUENCE_CLASSIFIER) for name in network.architectures):
        raise ModelError(
            f"{source} is a sequence classifier already ({network.architectures[0]}): servers read it as it is"
        )
    classifier, parts = _classifier(network)
    files = weight_files(checkpoint)
    prefix = f"{classifier.base_model_prefix}."
    names = {}
    for name in files:
        below = name.removeprefix(prefix)
        if below.partition(".")[0] in parts and name.rpartition(".")[0] != head:
            names[name] = f"{prefix}{below}"
    others = tuple(sorted(name for name in files if name not in names and not name.startswith(_WORDS)))
    if head is None:
        has = f"has {', '.join(others[:4])} besides its body" if others else "is a language model without a head"
        raise ModelError(
            f"{source} has no single linear layer that computes its score, which alone can become `{_SCORE}`: it {has}"
        )
    bias = _check_head(network, head, classifier.score.in_features)
    left_out = tuple(name for name in others if name not in (f"{head}.weight", f"{head}.bias"))
    return Target(type(classifier).__name__, head, bias, names, left_out)


def _classifier(network: Network) -> tuple[Any, set[str]]:
    """The sequence classifier of an architecture without memory for weights, and the names of its body's parts.

    Raises:
        ModelError: If there is none, or it has no linear layer `score` without bias.
    """
    config = copy.deepcopy(network.config)
    config.num_labels = 1
    kind = config.model_type
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise ModelError(
            f"transformers has no sequence classifier for {network.checkpoint.source} (model type {kind}), so that its "
            "head cannot be exported"
        )
    try:
        with quiet(), torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config)
            body = AutoModel.from_config(config)
    except LOADING_ERRORS as error:
        raise cannot_load(network.checkpoint, error) from error
    layer = getattr(model, _SCORE, None)
    if not isinstance(layer, torch.nn.Linear) or layer.bias is not None or not model.base_model_prefix:
        raise ModelError(
            f"{type(model).__name__}, the sequence classifier for {network.checkpoint.source}, does not read a linear "
            f"layer `{_SCORE}` at the last token, so that its head cannot be exported"
        )
    return model, {name.partition(".")[0] for name in body.state_dict()}


def _check_head(network: Network, head: str, width: int) -> float:
    """The bias of the layer that becomes `score`; 0 if it has none.

    Raises:
        ModelError: If it is not a linear layer from hidden states to one number, or one of several layers.
    """
    source, files = network.checkpoint.source, weight_files(network.checkpoint)
    stem, _, layer = head.rpartition(".")
    if layer.isdecimal() and any(
        name.startswith(f"{stem}.") and not name.startswith(f"{head}.") and name[len(stem) + 1].isdecimal()
        for name in files
    ):
        raise ModelError(
            f"{source}: {head} is one of several layers of its head, and only a single linear layer can become "
            f"`{_SCORE}`"
        )
    weight = read_weight(files[f"{head}.weight"], f"{head}.weight")
    if weight.ndim != 2 or weight.shape[1] != width or not weight.is_floating_point():
        raise ModelError(
            f"{source}: {head}.weight is {weight.dtype} of the shape {tuple(weight.shape)}, not a linear layer "
            f"on hidden states of width {width}: check `head`"
        )
    if len(weight) != 1:
        raise ModelError(
            f"{source}: {head} has {len(weight)} outputs, and only a head with one output can become a score without "
            "a rule that combines them: a server would return all of them"
        )
    if f"{head}.bias" not in files:
        return 0.0
    return float(read_weight(files[f"{head}.bias"], f"{head}.bias").double().reshape(-1)[0])


def write_classifier(
    network: Network,
    target: Target,
    folder: Path,
    dtype: torch.dtype | None,
    padding: bool,
    progress: Callable[[int, int], None],
) -> None:
    """Write config and weights of the sequence classifier, one file of weights at a time.

    Weights keep the files in which the checkpoint has them, and the head keeps its number format: vLLM computes it in
    float32.

    Args:
        network: The network of the checkpoint.
        target: What `find_target` returned.
        folder: An existing folder.
        dtype: Number format of the body; None for the checkpoint's.
        padding: Whether the config states a padding token; see `rmeval.doctor.export`.
        progress: Called with the number of weights that are written and the total.

    Raises:
        ModelError: If weights do not fit into the number format.
        OSError: If a file cannot be written.
    """
    config = _config(network, target.architecture, dtype, padding)
    (folder / "config.json").write_text(f"{json.dumps(config, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    shards: dict[Path, dict[str, str]] = {}
    for name, file in weight_files(network.checkpoint).items():
        if name in target.names:
            shards.setdefault(file, {})[name] = target.names[name]
    where: dict[str, str] = {}
    size = done = 0
    for number, (file, names) in enumerate(shards.items(), 1):
        last = number == len(shards)
        own = f"model-{number:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else "model.safetensors"
        tensors = dict(_converted(file, names, dtype))
        if last:
            tensors[f"{_SCORE}.weight"] = _head(network, target)
        try:
            save_file(tensors, folder / own, {"format": "pt"})
        except SafetensorError as error:
            raise _os_error(error, own) from error
        # safetensors lets only the owner read what it writes; a server often runs as another user.
        (folder / own).chmod((folder / "config.json").stat().st_mode)
        where |= dict.fromkeys(tensors, own)
        size += sum(one.numel() * one.element_size() for one in tensors.values())
        done += len(names)
        progress(done, len(target.names))
    if len(shards) > 1:
        listing = {"metadata": {"total_size": size}, "weight_map": dict(sorted(where.items()))}
        (folder / "model.safetensors.index.json").write_text(f"{json.dumps(listing, indent=2)}\n", encoding="utf-8")


def _os_error(error: SafetensorError, name: str) -> OSError:
    """The error of the operating system that safetensors reports as a text."""
    if number := re.search(r"\(os error (\d+)\)", str(error)):
        return OSError(int(number[1]), os.strerror(int(number[1])), name)
    return OSError(f"{name}: {reason_of(error)}")


def _head(network: Network, target: Target) -> torch.Tensor:
    name = f"{target.head}.weight"
    return read_weight(weight_files(network.checkpoint)[name], name).clone()


def _converted(file: Path, names: Mapping[str, str], dtype: torch.dtype | None) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a file by their new names.

    Raises:
        ModelError: If the file cannot be read, or a number is too large for the number format.
    """
    if file.suffix == ".safetensors":
        try:
            stored = load_file(file)
        except SafetensorError as error:
            raise ModelError(f"{file} cannot be read ({reason_of(error)}): download it again") from error
    else:
        # A pickle may hold one tensor under two names, which safetensors does not write.
        stored = {name: tensor.clone() for name, tensor in unpickled(file).items()}
    for name, new in names.items():
        tensor = stored.pop(name).contiguous()
        if dtype is not None and tensor.is_floating_point() and tensor.dtype != dtype:
            before, tensor = tensor, tensor.to(dtype)
            if not torch.isfinite(tensor).all() and torch.isfinite(before).all():
                raise ModelError(f"{name} holds numbers that {dtype} cannot represent: choose another `dtype`")
        yield new, tensor


def _config(network: Network, architecture: str, dtype: torch.dtype | None, padding: bool) -> dict[str, Any]:
    """The config of the classifier: the checkpoint's, with the values that make it a classifier."""
    config = network.checkpoint.stated()
    for name in ("auto_map", "num_labels", "_num_labels", "value_head_prefix", "_name_or_path", "transformers_weights"):
        config.pop(name, None)
    config |= {
        "architectures": [architecture],
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        # Servers then return the score itself: with one label, vLLM's default is the sigmoid.
        "problem_type": "regression",
    }
    parts = [config, *(one for one in [config.get("text_config")] if isinstance(one, dict))]
    for part in parts:
        if not padding:
            part["pad_token_id"] = None
        if dtype is not None:
            # Older releases read the second name.
            for name in {"dtype", "torch_dtype"} & part.keys() or ({"dtype"} if part is config else set()):
                part[name] = str(dtype).removeprefix("torch.")
    return config


def own_scores(folder: Path, sequences: Sequence[TokenSequence], dtype: str, device: str) -> tuple[FloatArray, float]:
    """Scores by transformers' own `AutoModelForSequenceClassification`, one by one, and the noise of its number format.

    Returns:
        float64[sequences], and the difference that rounding explains, as a multiple of max(1, |score|).

    Raises:
        ModelError: If it cannot be loaded, or weights are missing or left over.
    """
    kind: Any = dtype if dtype == "auto" else getattr(torch, dtype)
    try:
        with quiet():
            model, found = AutoModelForSequenceClassification.from_pretrained(
                folder, dtype=kind, output_loading_info=True, use_safetensors=True
            )
        if wrong := sorted({*found["missing_keys"], *map(str, found["mismatched_keys"]), *found["unexpected_keys"]}):
            raise ModelError(
                f"{type(model).__name__} and the weights do not fit ({', '.join(wrong[:3])}"
                f"{', ...' if len(wrong) > 3 else ''}): the checkpoint cannot be exported"
            )
        model = model.to(find_device(device)).eval()
        scores = []
        for sequence in sequences:
            ids = torch.tensor([[int(token) for token in sequence]], device=model.device)
            with torch.inference_mode():
                logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            scores.append(float(logits[0, 0].float()))
    except ModelError:
        raise
    except LOADING_ERRORS as error:
        raise ModelError(f"transformers does not run the exported classifier ({reason_of(error)})") from error
    return np.array(scores), FLOORS.get(model.dtype, FLOORS[torch.float32])
