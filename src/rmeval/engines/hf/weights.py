"""Finds the files of a checkpoint that hold its weights: those that transformers loads, and a head next to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rmeval.errors import ModelError, reason_of
from rmeval.hub import hub_file, is_absent
from rmeval.repository import read_config

__all__ = ["PICKLES", "WHOLE", "Getter", "Layout", "Weights", "find_weights", "getter", "head_names", "layout_of"]

_HEADS = ("value_head.safetensors", "value_head.bin")
"""Files of a head next to the weights of its body, as saved by trainers that build on TRL's value head."""
_BESIDE_ADAPTERS = (*_HEADS, "pytorch_model.bin")
"""Files of a head next to an adapter's weights; TRL itself writes the last one."""

PICKLES = (".bin", ".pt", ".pth")
"""Endings of pickles of weights."""
Getter = Callable[[str], Path | None]
"""Maps a file's name to its local path, or None if the checkpoint has no such file."""


class Layout(NamedTuple):
    """The choice of one of several sets of weights, from the arguments of `from_pretrained`.

    Attributes:
        pickle: Whether to load pickled weights, which can run code when loaded.
        variant: Part of the file name before its suffix, such as `fp16`.
        subfolder: Folder of config and weights inside the checkpoint's folder.
        gguf: Name of a GGUF file to load instead.
        code_revision: Revision of code in another repository on the hub.
        heads: Names of further files with weights of the head.
    """

    pickle: bool = False
    variant: str | None = None
    subfolder: str = ""
    gguf: str | None = None
    code_revision: str | None = None
    heads: tuple[str, ...] = ()

    def name(self, stem: str) -> str:
        """Path of a file inside the checkpoint's folder."""
        return f"{self.subfolder}/{stem}" if self.subfolder else stem

    @property
    def names(self) -> list[tuple[str, str]]:
        """Names of the single file and of the index of several files, in the order of the search."""
        stems = ["pytorch_model.bin", "model.safetensors"] if self.pickle else ["model.safetensors"]
        if self.variant is None:
            return [(stem, f"{stem}.index.json") for stem in stems]
        parts = [stem.rsplit(".", 1) for stem in stems]
        return [(f"{a}.{self.variant}.{b}", f"{a}.{b}.index.{self.variant}.json") for a, b in parts]


WHOLE = Layout()
"""Weights as `save_pretrained` writes them."""


def head_names(layout: Layout, adapter: bool = False) -> list[str]:
    """Names of files that may hold a head next to other weights."""
    names = _BESIDE_ADAPTERS if adapter else _HEADS
    return [name for name in (*names, *layout.heads) if layout.pickle or name.endswith(".safetensors")]


def layout_of(model_kwargs: Mapping[str, Any], heads: tuple[str, ...] = ()) -> Layout:
    """The layout selected by arguments of `from_pretrained`, with further files of a head."""
    return Layout(
        model_kwargs.get("use_safetensors") is False,
        model_kwargs.get("variant"),
        str(model_kwargs.get("subfolder") or ""),
        model_kwargs.get("gguf_file"),
        model_kwargs.get("code_revision"),
        heads,
    )


def getter(source: str, revision: str | None, layout: Layout) -> Getter:
    """A function that finds files of a checkpoint in its folder, or downloads them from the hub."""
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
    """The files that transformers loads as weights.

    Attributes:
        files: The files with tensors, including a head next to them; empty if there are no weights.
        listing: The index that names them, if there is one.
    """

    files: list[Path]
    listing: Path | None = None


def find_weights(get: Getter, layout: Layout) -> Weights:
    """Find the files that transformers loads, and a head next to them.

    Raises:
        ModelError: If the index cannot be read, or names a file that is missing or may not be loaded.
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
    """Names of the single file and of the index, in the order in which transformers searches them."""
    config = get("config.json")
    stated = None if config is None else read_config(config).get("transformers_weights")
    if stated is None:
        return layout.names
    if not isinstance(stated, str) or not stated.endswith((_SAFE, f"{_SAFE}.index.json")):
        raise ModelError(
            f"{config} names {stated!r} as its weights (transformers_weights), which is not a safetensors file: save "
            "the model as safetensors"
        )
    _refuse_outside(stated, str(config))
    return [(stated, stated)] if stated.endswith(_SAFE) else [(_NONE, stated)]


_SAFE = ".safetensors"
_NONE = ".none"
"""A name that no file has."""


def _refuse_outside(name: str, where: str) -> None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelError(f"{where} names {name!r}, which is outside its folder: move the file into the folder")


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
                f"{listing} names {name}, which is not a safetensors file: pickles can run code when loaded; save the "
                "model as safetensors, or if you trust it, give `model_kwargs` use_safetensors=false"
            )
    found = {name: get(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise ModelError(f"{listing} names {missing[0]}, which does not exist: check that the model is complete")
    return [path for path in found.values() if path is not None]
