"""Finds a checkpoint and its files, before any weights are loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from transformers.configuration_utils import get_configuration_file

from rmeval.cache import Sources
from rmeval.engines.base import Place
from rmeval.engines.hf.weights import WHOLE, Layout, Weights, find_weights, getter, head_names
from rmeval.errors import ModelError
from rmeval.hub import hub_file, is_absent, is_cached, is_hub_id
from rmeval.rendering.files import has_vocabulary
from rmeval.repository import TOKENIZER_CONFIG, Code, code_beside, read_config

__all__ = ["Checkpoint", "find_checkpoint", "tokenizer_place"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of a model.

    Attributes:
        source: Path or hub id, for `from_pretrained`.
        revision: Full commit hash on the hub; None for a local folder.
        name: Short name for tables and folders.
        fingerprint: `hub:<id>@<commit>`, or `sha256:` and the digest of the local weights and config.
        adapter: Folder of the adapter, if the model has one.
        base: The base model of the adapter.
        layout: Which of its files hold the weights.
        adapter_place: Path or hub id of the adapter, and its commit.
        sources: The local files that the fingerprint covers.
    """

    source: str
    revision: str | None
    name: str
    fingerprint: str
    adapter: Path | None = None
    base: Checkpoint | None = None
    layout: Layout = WHOLE
    adapter_place: tuple[str, str | None] | None = None
    sources: tuple[Sources, ...] = ()

    def file(self, name: str) -> Path | None:
        """The path of a file of the model (of an adapter's base); None if there is no such file."""
        return getter(self.source, self.revision, self.layout)(name)

    def stated(self) -> dict[str, Any]:
        """The values of its config, unchecked; empty if the config is not a JSON object."""
        config = self.file("config.json")
        return {} if config is None else read_config(config)

    def weights(self) -> list[Path]:
        """The files of the model's weights (of an adapter's base), and of a head saved next to them."""
        return find_weights(self.file, self.layout).files


def find_checkpoint(
    spec: str,
    revision: str | None = None,
    layout: Layout = WHOLE,
    code: bool = False,
    base: str | None = None,
) -> Checkpoint:
    """Find a checkpoint by path or hub id.

    Args:
        spec: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        layout: Which of several sets of weights to load.
        code: Whether code that comes with the model may run; if so, it is part of the fingerprint.
        base: Path or hub id of an adapter's base model; by default, the one in the adapter's config.

    Raises:
        ModelError: If there is no usable checkpoint.
    """
    folder = Path(spec)
    try:
        folder.exists()
    except OSError as error:  # The name is too long, or a folder may not be entered.
        raise ModelError(f"{spec} cannot be looked up ({error.strerror or error}): check the path") from error
    adapter = _find_adapter(spec, revision, layout)
    if adapter is not None:
        return _over_base(spec, adapter, base, layout, code)
    if base is not None:
        raise ModelError(f"{spec} is a complete model and has no base: leave `base_model` out")
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"{spec} is a local folder, which has no revisions: leave `revision` out")
        elsewhere = _code(folder, layout).elsewhere if code else ""
        sources = Sources(folder / layout.subfolder, partial(_files, folder, layout, code))
        _refuse_adapter_inside(spec, None, layout)
        fingerprint = f"sha256:{sources.digest}{elsewhere}"
        return Checkpoint(str(folder), None, folder.resolve().name, fingerprint, layout=layout, sources=(sources,))
    if folder.exists():
        raise ModelError(f"{spec} is a file: give the folder of the checkpoint, or file.py:Class for your own scorer")
    if not is_hub_id(spec):
        raise ModelError(
            f"there is no model at {spec}: give a checkpoint's folder, a hub id, file.py:Class or baseline:longest"
        )
    commit = hub_file(spec, layout.name("config.json"), revision).commit
    _refuse_adapter_inside(spec, commit, layout)
    beside = hub_file(spec, layout.name("config.json"), commit).path.parent
    elsewhere = _code(beside, WHOLE._replace(code_revision=layout.code_revision)).elsewhere if code else ""
    return Checkpoint(spec, commit, spec.replace("/", "__"), f"hub:{spec}@{commit}{elsewhere}", layout=layout)


def _files(folder: Path, layout: Layout, code: bool) -> list[Path]:
    """The files of a local checkpoint that transformers reads to build the network, and a head saved next to them.

    Raises:
        ModelError: If it has no config, or no weights.
    """
    config = folder / layout.name("config.json")
    weights = _weights(folder, layout)
    found = [*weights.files, *([weights.listing] if weights.listing else []), config]
    stated = read_config(config)
    # generation_config.json names the first token of a decoder if the config does not.
    if stated.get("is_encoder_decoder") and stated.get("decoder_start_token_id") is None:
        found += [path for path in [config.with_name("generation_config.json")] if path.is_file()]
    # A config may name other configs, for versions of transformers.
    if isinstance(named := stated.get("configuration_files"), list):
        other = config.with_name(get_configuration_file([str(name) for name in named]))
        found += [other] if other.is_file() else []
    return found + (_code(folder, layout).files if code else [])


def _refuse_adapter_inside(spec: str, commit: str | None, layout: Layout) -> None:
    """Reject a complete model with an adapter in its folder, which transformers applies if PEFT is installed.

    The adapter may have been merged into the model already, and would then be applied twice; or it is meant to be used.
    """
    if layout.gguf is None and getter(spec, commit, WHOLE)(ADAPTER_CONFIG) is not None:
        raise ModelError(
            f"{spec} has a complete model and an adapter ({ADAPTER_CONFIG}) in one folder, so it is unknown whether "
            "the adapter is already merged into the model: give the model in a folder without its files, or "
            "the adapter in a separate folder with `base_model`"
        )


def _code(folder: Path, layout: Layout) -> Code:
    return code_beside(folder, layout.name("config.json"), layout.code_revision)


class _Adapter(NamedTuple):
    """An adapter's folder, fingerprint, name and place."""

    folder: Path
    fingerprint: str
    name: str
    place: tuple[str, str | None]
    sources: tuple[Sources, ...] = ()


def _find_adapter(spec: str, revision: str | None, layout: Layout) -> _Adapter | None:
    """The adapter at a path or hub id; None if there is no adapter."""
    folder = Path(spec)
    if folder.is_dir():
        folder = folder / layout.subfolder
        if (folder / "config.json").is_file() or not (folder / ADAPTER_CONFIG).is_file():
            return None
        sources = Sources(folder, partial(_adapter_files, spec, folder, layout))
        fingerprint = f"sha256:{sources.digest}"
        return _Adapter(folder, fingerprint, folder.resolve().name, (str(folder), None), (sources,))
    if folder.exists() or not is_hub_id(spec):
        return None
    try:
        hub_file(spec, layout.name("config.json"), revision)
    except ModelError as error:
        # Offline the hub cannot confirm that config.json is absent, but a cached adapter config proves an adapter.
        known = is_cached(spec, layout.name(ADAPTER_CONFIG), revision, "model")
        if not is_absent(error, or_unknown=known):
            raise
        config = hub_file(spec, layout.name(ADAPTER_CONFIG), revision)
        hub_file(spec, layout.name(ADAPTER_WEIGHTS), config.commit)
        # Downloads the other files that are used into the same folder of the cache.
        for name in head_names(layout, adapter=True):
            getter(spec, config.commit, layout)(name)
        own = f"hub:{spec}@{config.commit}"
        return _Adapter(config.path.parent, own, spec.replace("/", "__"), (spec, config.commit))
    return None


def _adapter_files(spec: str, folder: Path, layout: Layout) -> list[Path]:
    files = [folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS]
    if missing := next((file for file in files if not file.is_file()), None):
        raise ModelError(f"{spec} has no {missing.name}: check that the adapter was saved completely, as safetensors")
    return files + [folder / name for name in head_names(layout, adapter=True) if (folder / name).is_file()]


def _over_base(spec: str, adapter: _Adapter, base: str | None, layout: Layout, code: bool) -> Checkpoint:
    try:
        config = json.loads((adapter.folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        stated, revision = config["base_model_name_or_path"], config.get("revision")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{adapter.folder / ADAPTER_CONFIG} cannot be read ({error}): save the adapter again"
        ) from error
    try:
        below = find_checkpoint(base or str(stated), None if base else revision, layout, code)
    except ModelError as error:
        raise ModelError(
            f"{spec} is an adapter of {base or stated}, which cannot be used ({error}): give the path of its base "
            "with `base_model`"
        ) from error
    if below.adapter is not None:
        raise ModelError(f"{spec} is an adapter over an adapter ({base or stated}): merge the lower one into its base")
    fingerprint = f"{adapter.fingerprint} over {below.fingerprint}"
    return Checkpoint(
        below.source,
        below.revision,
        adapter.name,
        fingerprint,
        adapter.folder,
        below,
        layout,
        adapter.place,
        (*adapter.sources, *below.sources),
    )


_PARTS = (TOKENIZER_CONFIG, "added_tokens.json")


def tokenizer_place(checkpoint: Checkpoint) -> Place:
    """The location of a checkpoint's tokenizer, which may be the adapter's.

    Raises:
        ModelError: If an adapter has an incomplete tokenizer.
    """
    if checkpoint.adapter is not None and checkpoint.adapter_place is not None:
        place, commit = checkpoint.adapter_place
        if has_vocabulary(checkpoint.adapter):
            return Place(place, commit)
        if commit is not None and getter(place, commit, WHOLE)("tokenizer.json") is not None:
            return Place(place, commit)
        if commit is None and (part := next((name for name in _PARTS if (Path(place) / name).is_file()), None)):
            raise ModelError(
                f"the adapter {place} has {part} but no vocabulary, so that tokens which it adds would be lost: copy "
                "the rest of its tokenizer, delete that file to use the base's tokenizer, or give `tokenizer`"
            )
    return Place(checkpoint.source, checkpoint.revision)


def _weights(folder: Path, layout: Layout) -> Weights:
    config = folder / layout.name("config.json")
    if not config.is_file():
        raise ModelError(f"{config.parent} has no config.json: it is not a Hugging Face checkpoint; check the path")
    get = getter(str(folder), None, layout)
    if (found := find_weights(get, layout)).files:
        return found
    if find_weights(get, layout._replace(pickle=True)).files:
        raise ModelError(
            f"{folder} has only pickled weights, which can run code when loaded: save it as safetensors, "
            "or if you trust it, give `model_kwargs` use_safetensors=false"
        )
    names = layout.gguf or " or ".join(name for names in layout.names for name in names)
    raise ModelError(f"{config.parent} has no weights that transformers loads ({names}): check that it is complete")
