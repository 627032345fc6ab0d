"""Where a checkpoint is and what its weights are, found before any of them is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.digests import files_digest
from rmeval.errors import ModelError
from rmeval.hub import hub_file, is_hub_id

__all__ = ["Checkpoint", "find_checkpoint", "find_tokenizer"]

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
    """

    source: str
    revision: str | None
    name: str
    fingerprint: str


def find_checkpoint(spec: str, revision: str | None = None, pickle: bool = False, code: bool = False) -> Checkpoint:
    """Finds a checkpoint by path or hub id.

    Args:
        spec: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        pickle: Whether pickled weights are wanted; loading them can run code.
        code: Whether code that comes with the model will run, and so counts.

    Raises:
        ModelError: If there is nothing usable there.
    """
    folder = Path(spec)
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


def _weights(folder: Path, pickle: bool) -> Sequence[Path]:
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelError(
                f"{folder} holds an adapter, not a whole model: merge it into its base first (peft: merge_and_unload)"
            )
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
