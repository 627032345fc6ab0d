"""Tokenizers that the calling program holds: a copy of one, and a digest of what it makes of texts."""

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
    """A copy of a tokenizer.

    Attributes:
        loaded: The copy, and how its tokens differ from those of the `tokenizer.json` that it was loaded from.
        fingerprint: Digest of the files that it would be saved as; None where its class is of another package, or of
            the program itself, whose code they do not hold.
    """

    loaded: LoadedTokenizer
    fingerprint: str | None


def hold_tokenizer(given: Any, name: str) -> HeldTokenizer:
    """Copies a tokenizer, so that neither the program's changes nor ours reach the other's.

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
        # Each call of a tokenizer leaves these behind, and a saved one is loaded without them.
        own.no_truncation()
        own.no_padding()
        own.encode_special_tokens = made.split_special_tokens = False
        forget_absent(made, own)
    return HeldTokenizer((made, _compared(made, name)), _digest(made))


def _compared(made: Any, name: str) -> TokenSource:
    """Whose tokens it gives; warns where those of the file that it was loaded from are others."""
    source = made.name_or_path
    try:
        file = find_file(made, source, None) if source else None
    except LOADING_ERRORS:
        file = None
    try:
        backend = None if file is None else tokenizers.Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001  The library raises bare ones; what the program has loaded is used all the same.
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
