"""Where a checkpoint is and what its weights are, found before any of them is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rmeval.digests import files_digest
from rmeval.errors import ModelError
from rmeval.hub import hub_file, is_hub_id

__all__ = ["Checkpoint", "find_checkpoint", "find_tokenizer", "tokenizer_source"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_TOKENIZER_FILES = (
    "tokenizer.json",
    "*.model",
    "*.tiktoken",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab*",
    "merges.txt",
)


_VOCABULARIES = ("tokenizer.json", "*.model", "*.tiktoken", "vocab*")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's files.

    Attributes:
        source: Path or hub id, for `from_pretrained`.
        revision: Full commit hash on the hub; None for a local folder.
        name: Short name for tables and folders.
        fingerprint: `hub:<id>@<commit>`, or `sha256:` over the local weights and config.
        adapter: Folder of the adapter that is laid over it, if it is one.
        base: The model below the adapter.
    """

    source: str
    revision: str | None
    name: str
    fingerprint: str
    adapter: Path | None = None
    base: Checkpoint | None = None


def find_checkpoint(
    spec: str,
    revision: str | None = None,
    pickle: bool = False,
    code: bool = False,
    base: str | None = None,
) -> Checkpoint:
    """Finds a checkpoint by path or hub id.

    Args:
        spec: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        pickle: Whether pickled weights are wanted; loading them can run code.
        code: Whether code that comes with the model will run, and so counts.
        base: Where the model is that an adapter belongs to; None for where its config says.

    Raises:
        ModelError: If there is nothing usable there.
    """
    folder = Path(spec)
    adapter = _find_adapter(spec, revision)
    if adapter is not None:
        return _over_base(spec, adapter, base, pickle, code)
    if base is not None:
        raise ModelError(f"{spec} is a whole model, and has no base: leave --base-model out")
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"{spec} is a local folder, which has no revisions: leave --revision out")
        weights = _weights(folder, pickle)
        sources = [*weights, folder / "config.json", *(folder.glob("*.py") if code else ())]
        fingerprint = f"sha256:{files_digest(sources)}"
        return Checkpoint(str(folder), None, folder.resolve().name, fingerprint)
    if folder.exists():
        raise ModelError(f"{spec} is a file: give the folder of the checkpoint, or file.py:Class for your own scorer")
    if not is_hub_id(spec):
        raise ModelError(
            f"there is no model at {spec}: give a checkpoint's folder, a hub id, file.py:Class or baseline:longest"
        )
    commit = hub_file(spec, "config.json", revision).commit
    return Checkpoint(spec, commit, spec.replace("/", "__"), f"hub:{spec}@{commit}")


class _Adapter(NamedTuple):
    """An adapter's folder, what tells it from others, and its name."""

    folder: Path
    fingerprint: str
    name: str


def _find_adapter(spec: str, revision: str | None) -> _Adapter | None:
    """The adapter at a path or hub id; None where there is something else, or nothing."""
    folder = Path(spec)
    if folder.is_dir():
        if (folder / "config.json").is_file() or not (folder / ADAPTER_CONFIG).is_file():
            return None
        files = [folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS]
        if missing := next((file for file in files if not file.is_file()), None):
            raise ModelError(f"{spec} has no {missing.name}: check that the adapter was saved whole, as safetensors")
        return _Adapter(folder, f"sha256:{files_digest(files)}", folder.resolve().name)
    if folder.exists() or not is_hub_id(spec):
        return None
    try:
        hub_file(spec, "config.json", revision)
    except ModelError as error:
        if not _absent(error):
            raise
        config = hub_file(spec, ADAPTER_CONFIG, revision)
        hub_file(spec, ADAPTER_WEIGHTS, config.commit)
        return _Adapter(config.path.parent, f"hub:{spec}@{config.commit}", spec.replace("/", "__"))
    return None


def _absent(error: ModelError) -> bool:
    """Whether the hub has the repository but not the file."""
    return type(error.__cause__).__name__ in ("EntryNotFoundError", "RemoteEntryNotFoundError")


def _over_base(spec: str, adapter: _Adapter, base: str | None, pickle: bool, code: bool) -> Checkpoint:
    try:
        config = json.loads((adapter.folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        stated, revision = config["base_model_name_or_path"], config.get("revision")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{adapter.folder / ADAPTER_CONFIG} cannot be read ({error}): save the adapter anew"
        ) from error
    try:
        below = find_checkpoint(base or str(stated), None if base else revision, pickle, code)
    except ModelError as error:
        raise ModelError(
            f"{spec} is an adapter of {base or stated}, which is of no use ({error}): give its place with --base-model"
        ) from error
    if below.adapter is not None:
        raise ModelError(f"{spec} is an adapter over an adapter ({base or stated}): merge the lower one into its base")
    fingerprint = f"{adapter.fingerprint} over {below.fingerprint}"
    return Checkpoint(below.source, below.revision, adapter.name, fingerprint, adapter.folder, below)


def tokenizer_source(checkpoint: Checkpoint) -> tuple[str, str | None]:
    """Where a checkpoint's tokenizer is, and at which revision: an adapter may bring its own."""
    if checkpoint.adapter is not None and any(
        path.match(pattern) for path in checkpoint.adapter.iterdir() for pattern in _VOCABULARIES
    ):
        return str(checkpoint.adapter), None
    return checkpoint.source, checkpoint.revision


def _weights(folder: Path, pickle: bool) -> Sequence[Path]:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json: it is no Hugging Face checkpoint; check the path")
    weights = sorted(folder.glob("*.bin" if pickle else "*.safetensors"))
    if not weights and any(folder.glob("*.bin")):
        raise ModelError(
            f"{folder} has only pickled weights, which can run code when loaded: save it as safetensors, "
            "or if you trust it give --model-kwargs use_safetensors=false"
        )
    if not weights:
        raise ModelError(
            f"{folder} has no weights ({'*.bin' if pickle else '*.safetensors'}): check that it was saved whole"
        )
    return weights


def find_tokenizer(source: str, revision: str | None = None) -> tuple[str | None, str]:
    """Finds a tokenizer by path or hub id.

    Returns:
        The full commit hash on the hub (None for a local folder), and a fingerprint.

    Raises:
        ModelError: If there is no tokenizer.
    """
    folder = Path(source)
    if folder.is_dir():
        files = {path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)}
        if not any(path.match(pattern) for path in files for pattern in _VOCABULARIES):
            # transformers would make up an empty one.
            raise ModelError(
                f"the tokenizer of {source} cannot be loaded (no tokenizer files): give one with --tokenizer"
            )
        return None, f"sha256:{files_digest(sorted(files))}"
    commit = revision or hub_file(source, "tokenizer_config.json").commit
    return commit, f"hub:{source}@{commit}"
