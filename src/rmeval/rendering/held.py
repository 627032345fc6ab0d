"""Copies and digests of tokenizers that the calling program has loaded."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import tokenizers

from rmeval.cache import files_digest
from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.rendering.token_source import TokenSource
from rmeval.rendering.tokenizer import (
    PROBES,
    LoadedTokenizer,
    complete,
    find_file,
    forget_absent,
    of_backend,
    of_tokenizer,
    with_special,
)

__all__ = ["HeldTokenizer", "hold_tokenizer"]


class HeldTokenizer(NamedTuple):
    """A copy of a tokenizer, and its digest.

    Attributes:
        loaded: The copy, and a comparison of its tokens with those of the `tokenizer.json` from which it was loaded.
        fingerprint: Digest of the files that `save_pretrained` writes; None if its class is not one of transformers,
            whose code the files do not determine.
    """

    loaded: LoadedTokenizer
    fingerprint: str | None


def hold_tokenizer(given: Any, name: str) -> HeldTokenizer:
    """Copy a tokenizer, so that changes of the copy and of the original are independent.

    Args:
        given: The tokenizer.
        name: The model's name, for messages.

    Raises:
        ModelError: If it cannot be copied.
    """
    try:
        made = copy.deepcopy(given)
    except LOADING_ERRORS as error:
        raise ModelError(
            f"the tokenizer of {name} cannot be copied ({reason_of(error)}): save model and tokenizer, and evaluate "
            "the checkpoint"
        ) from error
    own = getattr(made, "_tokenizer", None)
    if isinstance(own, tokenizers.Tokenizer):
        # Calls of the original may have set these; rmeval loads saved tokenizers without them.
        own.no_truncation()
        own.no_padding()
        own.encode_special_tokens = made.split_special_tokens = False
        forget_absent(made, own)
    return HeldTokenizer((made, _compared(made, name)), _digest(made))


def _compared(made: Any, name: str) -> TokenSource:
    """The token source; logs a warning if the file from which the tokenizer was loaded yields other tokens."""
    source = made.name_or_path
    try:
        file = find_file(made, source, None) if source else None
    except LOADING_ERRORS:
        file = None
    try:
        backend = None if file is None else tokenizers.Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001  The library raises bare ones, and the comparison is optional.
        file = backend = None
    found = TokenSource(name, type(made).__name__, file)
    if backend is not None:
        complete(backend, made, {token.content for token in made.added_tokens_decoder.values()})
        found.keep_class("it is the object that was given")
        found.compare(of_tokenizer(made), of_backend(backend), [*PROBES, *with_special(backend, made)])
    return found


def _digest(made: Any) -> str | None:
    if type(made).__module__.partition(".")[0] != "transformers":
        return None
    try:
        with TemporaryDirectory(prefix="rmeval-") as folder:
            made.save_pretrained(folder)
            return f"in memory sha256:{files_digest([path for path in Path(folder).rglob('*') if path.is_file()])}"
    except LOADING_ERRORS:
        return None
