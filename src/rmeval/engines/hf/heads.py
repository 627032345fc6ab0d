"""Heads that transformers does not load: finds them in a checkpoint, and attaches them to its body."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from rmeval.engines.hf import ENCODERS
from rmeval.engines.hf.adapter import adapter_modules
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.weights import PICKLES, WHOLE, getter, head_names
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS

__all__ = [
    "HEAD",
    "SEQUENCE_CLASSIFIER",
    "find_head",
    "head_of",
    "names_in",
    "put_on",
    "read_weight",
    "refuse_whole_numbers",
    "unpickled",
    "weight_files",
]

HEAD = "rmeval_head"
"""Module name of a head that rmeval attaches to a body."""
KNOWN = ("v_head.summary", "v_head", "value_head", "score_head", "regression_head", "reward_head", "rm_head", "score")
"""Names of the linear layer that computes the score in published checkpoints: TRL's value head; OpenRLHF's head
(which its config names, else `value_head` or `score`); PKU-Beaver, UltraRM and Eurus; token classifiers."""
SEQUENCE_CLASSIFIER = "ForSequenceClassification"


def head_of(model: Any) -> str | None:
    """The network's own module that may compute the score, to be read at the last token; None if there is none."""
    modules = dict(model.named_modules()) if model.base_model is not model else {}
    return next((name for name in KNOWN if name in modules), None)


def find_head(checkpoint: Checkpoint, config: Any, asked: str | None, own: bool = False) -> str | None:
    """The name of a checkpoint's head, or None for a sequence classifier's head, which transformers loads.

    Args:
        checkpoint: The checkpoint.
        config: Its config.
        asked: The name given by the user, if any.
        own: Whether the checkpoint's own class is run, which may have several heads.

    Raises:
        ModelError: If the given head does not exist, or the checkpoint has several heads.
    """
    classifier = any(name.endswith(SEQUENCE_CLASSIFIER) for name in config.architectures or ())
    beside = _beside_adapter(checkpoint)
    if asked is not None:
        return _asked(asked, beside | weight_files(checkpoint), checkpoint, classifier, config)
    # An adapter with a trained head belongs to a classifier.
    if checkpoint.adapter is not None and not beside and _brings_head(checkpoint.adapter):
        return None
    known = _known(beside or weight_files(checkpoint))
    if classifier and set(known) <= {"score"}:
        return None
    found = _named(checkpoint, config, beside)
    if found is None and len(known) > 1 and not own:
        raise ModelError(f"{checkpoint.source} has several heads ({', '.join(known)}): give one of them with `head`")
    found = found or next(iter(known), None)
    if found is None:
        _refuse_unread(checkpoint, beside)
    return found


def _known(files: Mapping[str, Path]) -> list[str]:
    """The known names of heads among weights."""
    return [name for name in KNOWN if f"{name}.weight" in files]


def _named(checkpoint: Checkpoint, config: Any, beside: Mapping[str, Path]) -> str | None:
    """The head that a config names, if any.

    Raises:
        ModelError: If its weights are missing.
    """
    named: str | None = getattr(config, "value_head_prefix", None)
    if named and not beside and f"{named}.weight" not in weight_files(checkpoint):
        raise ModelError(
            f"{checkpoint.source} has no weights {named}.weight, which its config names as the head: check that it was "
            "saved completely, or give `head`"
        )
    return named or None


CLASSIFIERS = ("score.weight", "classifier.weight")


def _brings_head(adapter: Path) -> bool:
    return any(name.endswith(CLASSIFIERS) for name in adapter_modules(adapter))


def _asked(asked: str, files: dict[str, Path], checkpoint: Checkpoint, classifier: bool, config: Any) -> str:
    """The head that the user names, if it is there and can be read.

    Raises:
        ModelError: If not.
    """
    if f"{asked}.weight" not in files:
        some = ", ".join(sorted(name for name in files if name.removesuffix(".weight") in KNOWN)) or "none"
        raise ModelError(
            f"{checkpoint.source} has no weights {asked}.weight: check `head` (known heads that it has: {some})"
        )
    if classifier and config.get_text_config().model_type in ENCODERS:
        raise ModelError(
            f"{checkpoint.source} is an encoder, whose head is not read at the last token: leave `head` out"
        )
    return asked


def put_on(body: Any, checkpoint: Checkpoint, name: str) -> None:
    """Attach a checkpoint's head to the body of its network, as the module `HEAD`."""
    files = weight_files(checkpoint) | _beside_adapter(checkpoint)
    stem, _, layer = name.rpartition(".")
    siblings = [own for own in files if re.match(rf"{re.escape(stem)}\.\d", own) and not own.startswith(f"{name}.")]
    if layer.isdecimal() and siblings:
        raise ModelError(
            f"{checkpoint.source}: {name} is one of several layers of its head ({siblings[0]} is in another): "
            "wrap it in a class with a score(conversations) method and give file.py:Class"
        )
    weight = read_weight(files[f"{name}.weight"], f"{name}.weight")
    bias = read_weight(files[f"{name}.bias"], f"{name}.bias") if f"{name}.bias" in files else None
    width = body.config.get_text_config().hidden_size
    if weight.ndim != 2 or weight.shape[1] != width:
        raise ModelError(
            f"{checkpoint.source}: {name}.weight has the shape {tuple(weight.shape)}, which does not fit a "
            f"linear layer on hidden states of width {width}: check `head`"
        )
    head = torch.nn.Linear(width, weight.shape[0], bias=bias is not None, device=weight.device, dtype=torch.float32)
    with torch.no_grad():
        head.weight.copy_(weight)
        if bias is not None:
            head.bias.copy_(bias)
    body.add_module(HEAD, head)


def refuse_whole_numbers(checkpoint: Checkpoint, config: Any) -> None:
    """Reject quantised weights that the config does not declare: they would be read as plain weights.

    Raises:
        ModelError: If there are any.
    """
    if getattr(config, "quantization_config", None) is not None:
        return
    for file in checkpoint.weights():
        if file.suffix != ".safetensors":
            continue
        with _opened(file) as opened:
            for name in opened.keys():  # noqa: SIM118
                if not name.endswith((".weight", ".bias")):
                    continue
                stored, shape = opened.get_slice(name).get_dtype(), opened.get_slice(name).get_shape()
                # The masks of attention that old checkpoints hold are named as a bias.
                if stored.startswith(("I", "U")) and len(shape) < 3:
                    raise ModelError(
                        f"{checkpoint.source}: {name} holds whole numbers ({stored}), whose scale is unknown without a "
                        "quantization_config: save the weights in a floating-point format"
                    )


def _beside_adapter(checkpoint: Checkpoint) -> dict[str, Path]:
    """The file of each weight of a head that is saved next to an adapter's weights."""
    if checkpoint.adapter is None:
        return {}
    names = [checkpoint.adapter / name for name in head_names(checkpoint.layout, adapter=True)]
    return names_in([path for path in names if path.is_file()])


def _refuse_unread(checkpoint: Checkpoint, beside: dict[str, Path]) -> None:
    """Reject a file with a head that would not be read: a pickle that the user did not allow, or an unknown name.

    Raises:
        ModelError: If there is such a file.
    """
    if pickled := _pickled_head(checkpoint):
        raise ModelError(
            f"{checkpoint.name} has its head in {pickled}, a pickle, which can run code when loaded: save it "
            "as safetensors, or if you trust it, give `model_kwargs` use_safetensors=false"
        )
    files = [path for name in head_names(checkpoint.layout) if (path := checkpoint.file(name)) is not None]
    if unknown := beside or names_in(files):
        name, file = next(iter(unknown.items()))
        raise ModelError(f"{file} holds {name}, which is not a known head: if it is the head, give its name as `head`")


def _pickled_head(checkpoint: Checkpoint) -> str | None:
    """The name of a pickle that holds the head, if the user did not allow pickles."""
    if checkpoint.layout.pickle:
        return None
    asked = checkpoint.layout._replace(pickle=True)
    if checkpoint.adapter is not None and checkpoint.adapter_place is not None:
        beside = getter(*checkpoint.adapter_place, WHOLE)
        if found := next(
            (name for name in _pickles(head_names(asked, adapter=True)) if beside(name) is not None), None
        ):
            return found
    return next((name for name in _pickles(head_names(asked)) if checkpoint.file(name) is not None), None)


def _pickles(names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(PICKLES)]


def weight_files(checkpoint: Checkpoint) -> dict[str, Path]:
    """The file of each weight."""
    return names_in(checkpoint.weights())


def names_in(files: list[Path]) -> dict[str, Path]:
    """The file of each weight in some files."""
    found: dict[str, Path] = {}
    for file in files:
        if file.suffix in PICKLES:
            # Pickles are among the files only if the user allowed them.
            found |= dict.fromkeys(unpickled(file), file)
            continue
        with _opened(file) as opened:
            found |= dict.fromkeys(opened.keys(), file)
    return found


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A file of safetensors.

    Raises:
        ModelError: If it cannot be read.
    """
    try:
        with safe_open(file, "pt") as opened:
            yield opened
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} cannot be read ({reason_of(error)}): download it again") from error


def unpickled(file: Path) -> dict[str, torch.Tensor]:
    """The weights in a pickle, which is mapped into memory.

    Raises:
        ModelError: If it cannot be read, or holds something else.
    """
    try:
        # torch before 1.6 wrote another format, which cannot be mapped into memory.
        mapped = zipfile.is_zipfile(file)
        found: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except LOADING_ERRORS as error:
        raise ModelError(f"{file} cannot be read ({reason_of(error)}): save it as safetensors") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ModelError(f"{file} holds a {type(found).__name__}, not named weights: save it as safetensors")
    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def read_weight(file: Path, name: str) -> torch.Tensor:
    """One of the weights in a file."""
    if file.suffix in PICKLES:
        return unpickled(file)[name]
    with _opened(file) as opened:
        tensor: torch.Tensor = opened.get_tensor(name)
    return tensor
