"""Finds a tokenizer and its files, before it is loaded."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

from rmeval.cache import Sources
from rmeval.errors import ModelError
from rmeval.hub import hub_file
from rmeval.repository import TOKENIZER_CONFIG, code_beside

__all__ = ["TokenizerFiles", "find_tokenizer", "has_vocabulary", "tokenizer_files"]

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.*.json",
    "*.model",
    "*.spm",
    "*.tiktoken",
    "*.tokenizer",
    TOKENIZER_CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab*",
    "*_vocab.json",
    "merges.txt",
    "bpe.codes",
    "byte_maps.json",
    "dict.txt",
    "emoji.json",
    "tekken.json",
)
_VOCABULARIES = ("tokenizer.json", "*.model", "*.spm", "*.tiktoken", "*.tokenizer", "vocab*", "tekken.json", "dict.txt")


class TokenizerFiles(NamedTuple):
    """The files of a tokenizer.

    Attributes:
        revision: Full commit hash on the hub; None for a local folder.
        fingerprint: `hub:<id>@<commit>`, or `sha256:` and the digest of the local files.
        sources: The local files that the fingerprint covers.
    """

    revision: str | None
    fingerprint: str
    sources: tuple[Sources, ...] = ()


def find_tokenizer(source: str, revision: str | None = None, own: bool = True, code: bool = False) -> TokenizerFiles:
    """Find a tokenizer by path or hub id.

    Args:
        source: The path or hub id.
        revision: Full commit hash on the hub.
        own: Whether it is in a checkpoint's folder, whose config and code the checkpoint's fingerprint covers.
        code: Whether code that comes with it may run.

    Raises:
        ModelError: If there is no tokenizer, or it is incomplete.
    """
    folder = Path(source)
    if folder.is_dir():
        _refuse_parts(folder)
        sources = Sources(folder, partial(tokenizer_files, folder, not own, code))
        elsewhere = code_beside(folder).elsewhere if code and not own else ""
        return TokenizerFiles(None, f"sha256:{sources.digest}{elsewhere}", (sources,))
    commit = revision or hub_file(source, TOKENIZER_CONFIG).commit
    return TokenizerFiles(commit, f"hub:{source}@{commit}")


def tokenizer_files(folder: Path, alone: bool = False, code: bool = False) -> list[Path]:
    """The files of a tokenizer in a folder.

    Args:
        folder: The folder.
        alone: Whether it is not in a checkpoint's folder, so that the config beside it belongs to it.
        code: Whether code that comes with it may run.
    """
    found = {path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern) if path.is_file()}
    if alone:
        # transformers chooses the class of a tokenizer by the type of the model next to it.
        found |= {path for path in [folder / "config.json"] if path.is_file()}
        found |= set(code_beside(folder).files) if code else set()
    return sorted(found)


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder holds a tokenizer's vocabulary."""
    return any(path.match(pattern) for path in folder.iterdir() for pattern in _VOCABULARIES)


def _refuse_parts(folder: Path) -> None:
    """Reject an incomplete tokenizer: transformers guesses the missing parts, which can change the tokens.

    Raises:
        ModelError: If a file is missing.
    """
    if not has_vocabulary(folder):
        # transformers would create an empty tokenizer.
        raise ModelError(f"{folder} has no tokenizer files: give a tokenizer with `tokenizer`")
    if not (folder / TOKENIZER_CONFIG).is_file():
        raise ModelError(
            f"{folder} has a tokenizer without {TOKENIZER_CONFIG}, so transformers would guess its class and its "
            "special tokens, and tokens could differ from those in training: copy that file from the original "
            'checkpoint, or write one that names the class, such as {"tokenizer_class": "TokenizersBackend"}'
        )
    if (folder / "vocab.json").is_file() and not any((folder / name).is_file() for name in _WITH_VOCABULARY):
        raise ModelError(
            f"{folder} has a vocab.json without merges.txt or tokenizer.json, so tokens would differ from those in "
            "training: copy the missing file from the original checkpoint"
        )


_WITH_VOCABULARY = ("merges.txt", "tokenizer.json", "bpe.codes", "spm.model", "source.spm", "sentencepiece.bpe.model")
"""Files one of which is needed next to a `vocab.json`, except for classes that come with a checkpoint."""
