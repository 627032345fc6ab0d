"""Which files of a checkpoint hold its weights: those that transformers loads, and a head saved beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rmeval.errors import ModelError, reason_of
from rmeval.hub import hub_file, is_absent
from rmeval.repository import read_config

__all__ = ["WHOLE", "Getter", "Layout", "Weights", "find_weights", "getter", "head_names", "layout_of"]

_HEADS = ("value_head.safetensors", "value_head.bin")
"""A head beside the weights of its body, as trainers that build on TRL's value head save it."""
_BESIDE_ADAPTERS = (*_HEADS, "pytorch_model.bin")
"""The same beside an adapter's weights; the last is TRL's own way."""

Getter = Callable[[str], Path | None]
"""From a file's name to its path here, or None where the checkpoint has no such file."""


class Layout(NamedTuple):
    """Which of several sets of weights is meant, by the arguments of `from_pretrained`.

    Attributes:
        pickle: Whether pickled weights are wanted; loading them can run code.
        variant: What stands before the ending, such as `fp16`.
        subfolder: Folder of config and weights below the checkpoint's own.
        gguf: Name of a GGUF file that is loaded instead.
        code_revision: Revision of code that lies in another repository on the hub.
    """

    pickle: bool = False
    variant: str | None = None
    subfolder: str = ""
    gguf: str | None = None
    code_revision: str | None = None

    def name(self, stem: str) -> str:
        """Path of a file below the checkpoint's folder."""
        return f"{self.subfolder}/{stem}" if self.subfolder else stem

    @property
    def names(self) -> list[tuple[str, str]]:
        """Names of the single file and of the index of several, in the order in which they are looked for."""
        stems = ["pytorch_model.bin", "model.safetensors"] if self.pickle else ["model.safetensors"]
        if self.variant is None:
            return [(stem, f"{stem}.index.json") for stem in stems]
        parts = [stem.rsplit(".", 1) for stem in stems]
        return [(f"{a}.{self.variant}.{b}", f"{a}.{b}.index.{self.variant}.json") for a, b in parts]


WHOLE = Layout()
"""Weights as `save_pretrained` writes them."""


def head_names(layout: Layout, adapter: bool = False) -> list[str]:
    """Names of files that may hold a head beside other weights."""
    names = _BESIDE_ADAPTERS if adapter else _HEADS
    return [name for name in names if layout.pickle or name.endswith(".safetensors")]


def layout_of(model_kwargs: Mapping[str, Any]) -> Layout:
    """The layout that arguments of `from_pretrained` ask for."""
    return Layout(
        model_kwargs.get("use_safetensors") is False,
        model_kwargs.get("variant"),
        str(model_kwargs.get("subfolder") or ""),
        model_kwargs.get("gguf_file"),
        model_kwargs.get("code_revision"),
    )


def getter(source: str, revision: str | None, layout: Layout) -> Getter:
    """Finds files of a checkpoint in its folder, or brings them from the hub."""
    folder = Path(source)

    def local(name: str) -> Path | None:
        path = folder / layout.name(name)
        return path if path.is_file() else None

    def remote(name: str) -> Path | None:
        try:
            return hub_file(source, layout.name(name), revision).path
        except ModelError as error:
            if is_absent(error, or_unknown=True):
                return None
            raise

    return local if folder.is_dir() else remote


class Weights(NamedTuple):
    """What transformers loads as weights.

    Attributes:
        files: The files with tensors, and of a head beside them; none where there are no weights.
        listing: The index that names them, if there is one.
    """

    files: list[Path]
    listing: Path | None = None


def find_weights(get: Getter, layout: Layout) -> Weights:
    """Finds the files that transformers loads, and a head beside them.

    Raises:
        ModelError: If the index cannot be read, or names a file that is not there or may not be loaded.
    """
    if layout.gguf is not None:
        return Weights([path for path in [get(layout.gguf)] if path is not None])
    beside = [path for path in map(get, head_names(layout)) if path is not None]
    for single, index in _names(get, layout):
        if (path := get(single)) is not None:
            return Weights([path, *beside])
        if (listing := get(index)) is not None:
            return Weights([*_shards(get, listing, layout), *beside], listing)
    return Weights([])


def _names(get: Getter, layout: Layout) -> list[tuple[str, str]]:
    """Names of the single file and of the index, in the order in which transformers looks for them."""
    config = get("config.json")
    stated = None if config is None else read_config(config).get("transformers_weights")
    if stated is None:
        return layout.names
    if not isinstance(stated, str) or not stated.endswith((_SAFE, f"{_SAFE}.index.json")):
        raise ModelError(
            f"{config} names {stated!r} as its weights (transformers_weights), which are no safetensors: save the "
            "model as safetensors"
        )
    _refuse_outside(stated, str(config))
    return [(stated, stated)] if stated.endswith(_SAFE) else [(_NONE, stated)]


_SAFE = ".safetensors"
_NONE = ".none"
"""A name that no file has."""


def _refuse_outside(name: str, where: str) -> None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelError(f"{where} names {name!r}, which is outside of its folder: put the file into the folder")


def _shards(get: Getter, listing: Path, layout: Layout) -> list[Path]:
    try:
        named = json.loads(listing.read_text(encoding="utf-8"))["weight_map"].values()
        names = sorted({Path(name).as_posix() for name in named})
    except (OSError, RecursionError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{listing} cannot be read ({reason_of(error)}): download it again") from error
    for name in names:
        _refuse_outside(name, str(listing))
        if not name.endswith(_SAFE) and not layout.pickle:
            raise ModelError(
                f"{listing} names {name}, which is no safetensors file: pickles can run code when loaded; save the "
                "model as safetensors, or if you trust it give `model_kwargs` use_safetensors=false"
            )
    found = {name: get(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise ModelError(f"{listing} names {missing[0]}, which is not there: check that the model is complete")
    return [path for path in found.values() if path is not None]
