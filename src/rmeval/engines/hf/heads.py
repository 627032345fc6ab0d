"""Heads that transformers does not load by itself: where they are in a checkpoint, and how they are put on its body."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.errors import ModelError
from rmeval.hub import hub_file

__all__ = ["HEAD", "find_head", "put_on", "token_ids"]

HEAD = "rmeval_head"
"""Name of a head that was put on a body."""
KNOWN = ("v_head.summary", "v_head", "value_head", "score_head", "regression_head", "reward_head", "rm_head", "score")
"""Names of the linear layer that makes the score, as published checkpoints have them: TRL's value head; OpenRLHF's
(which its config names, else `value_head` or `score`); PKU-Beaver, UltraRM and Eurus; token classifiers."""
SEQUENCE_CLASSIFIER = "ForSequenceClassification"


def find_head(checkpoint: Checkpoint, config: Any, asked: str | None) -> str | None:
    """The name of a checkpoint's head, or None where it is a sequence classifier's, which transformers loads.

    Args:
        checkpoint: The checkpoint.
        config: Its config.
        asked: What the user says it is.

    Raises:
        ModelError: If what the user says is not there.
    """
    classifier = any(name.endswith(SEQUENCE_CLASSIFIER) for name in config.architectures or ())
    # On the hub what the config says is believed, rather than bringing weights to look at their names.
    believed = checkpoint.adapter is not None or (classifier and not Path(checkpoint.source).is_dir())
    if asked is None and believed:
        return None
    files = _tensors(checkpoint)
    if asked is None and classifier and not any(f"{name}.weight" in files for name in KNOWN if name != "score"):
        return None
    if asked is not None:
        if f"{asked}.weight" not in files:
            some = ", ".join(sorted(name for name in files if name.removesuffix(".weight") in KNOWN)) or "none"
            raise ModelError(
                f"{checkpoint.source} has no weights {asked}.weight: check --head (known ones that it has: {some})"
            )
        if classifier and config.get_text_config().model_type in ENCODERS:
            raise ModelError(
                f"{checkpoint.source} is an encoder, whose head is not read at the last token: leave --head out"
            )
        return asked
    named = getattr(config, "value_head_prefix", None)
    if named and f"{named}.weight" not in files:
        raise ModelError(
            f"{checkpoint.source} has no weights {named}.weight, which its config names as the head: check that it was "
            "saved whole, or give --head"
        )
    return next((name for name in (named, *KNOWN) if name and f"{name}.weight" in files), None)


def put_on(body: Any, checkpoint: Checkpoint, name: str) -> None:
    """Puts a checkpoint's head on the body of its network, as the module `HEAD`."""
    files = _tensors(checkpoint)
    stem, _, layer = name.rpartition(".")
    siblings = [own for own in files if re.match(rf"{re.escape(stem)}\.\d", own) and not own.startswith(f"{name}.")]
    if layer.isdecimal() and siblings:
        raise ModelError(
            f"{checkpoint.source}: {name} is one of several layers of its head ({siblings[0]} is of another): "
            "wrap it in a class with a score(conversations) method and give file.py:Class"
        )
    weight = _read(files[f"{name}.weight"], f"{name}.weight")
    bias = _read(files[f"{name}.bias"], f"{name}.bias") if f"{name}.bias" in files else None
    width = body.config.get_text_config().hidden_size
    if weight.ndim != 2 or weight.shape[1] != width:
        raise ModelError(
            f"{checkpoint.source}: {name}.weight has the shape {tuple(weight.shape)}, which is no linear layer on "
            f"hidden states of {width}: check --head"
        )
    head = torch.nn.Linear(width, weight.shape[0], bias=bias is not None, device=weight.device, dtype=torch.float32)
    with torch.no_grad():
        head.weight.copy_(weight)
        if bias is not None:
            head.bias.copy_(bias)
    body.add_module(HEAD, head)


def _tensors(checkpoint: Checkpoint) -> dict[str, Path]:
    """The file of each weight."""
    folder = Path(checkpoint.source)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else _from_hub(checkpoint)
    if not files:
        # Pickles, which were asked for: without that they are refused before.
        return {name: file for file in sorted(folder.glob("*.bin")) for name in _unpickled(file)}
    found: dict[str, Path] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                found |= dict.fromkeys(opened.keys(), file)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{file} cannot be read ({error}): download it again") from error
    return found


def _from_hub(checkpoint: Checkpoint) -> list[Path]:
    try:
        index = hub_file(checkpoint.source, "model.safetensors.index.json", checkpoint.revision).path
    except ModelError:
        return [hub_file(checkpoint.source, "model.safetensors", checkpoint.revision).path]
    names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    return [hub_file(checkpoint.source, name, checkpoint.revision).path for name in names]


def _unpickled(file: Path) -> dict[str, torch.Tensor]:
    try:
        found: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(f"{file} cannot be read ({error}): save it as safetensors") from error
    return found


def _read(file: Path, name: str) -> torch.Tensor:
    if file.suffix == ".bin":
        return _unpickled(file)[name]
    with safe_open(file, "pt") as opened:
        tensor: torch.Tensor = opened.get_tensor(name)
    return tensor


def token_ids(tokenizer: Any, words: list[str]) -> list[int]:
    """The ids of words that are one token each, or of numbers like `#0`.

    Raises:
        ModelError: If one is none.
    """
    found = []
    for word in words:
        if word.startswith("#") and word != "##":
            if not word[1:].isdecimal() or int(word[1:]) >= len(tokenizer):
                raise ModelError(f"{word!r} in --head is no id of a token: give one below {len(tokenizer)} as in #0")
            found.append(int(word[1:]))
            continue
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            raise ModelError(
                f"{word!r} is {'not one token but ' + str(len(ids)) if len(ids) != 1 else 'not in the vocabulary'}: "
                "give another word in --head, or an id as in logit:#0"
            )
        found.append(int(ids[0]))
    return found
