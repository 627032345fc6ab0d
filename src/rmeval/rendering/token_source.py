"""The source of a tokenizer's tokens: its `tokenizer.json`, or the class that transformers loads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from rmeval.errors import reason_of

__all__ = ["Encode", "TokenSource"]

logger = logging.getLogger(__name__)

Encode = Callable[[Sequence[str]], list[list[int]]]
"""Maps texts to the token ids of each."""


class TokenSource:
    """The source of a tokenizer's tokens, and their difference from those of the other candidate.

    The candidates are the class that transformers loads, and `tokenizer.json` alone. The file is used, unless options
    for the class were given, or the class comes with the checkpoint and does not wrap such a file.

    Attributes:
        file: The `tokenizer.json`, or None if there is none.
        uses_file: Whether the tokens are those of the file.
        difference: The first text with different tokens, and the difference; None if there is none.
    """

    def __init__(self, where: str, name: str, file: Path | None) -> None:
        self.file = file
        self.uses_file = False
        self.difference: str | None = None
        self._where = where
        self._class = name
        self._other: Encode | None = None

    def compare(self, used: Encode, other: Encode, texts: Sequence[str]) -> None:
        """Compare the two candidates on texts, and keep the other one for `check`."""
        self._other = other
        self._compare(texts, used(texts))

    def check(self, texts: Callable[[], Sequence[str]], tokens: Sequence[Sequence[int]]) -> None:
        """Compare the tokens of the first real conversations with the other candidate's, once.

        Args:
            texts: Returns the conversations as text.
            tokens: The token ids that are used.
        """
        if self._other is None:
            return
        if self.difference is None:
            self._compare(texts(), tokens)
        self._other = None

    def fingerprint(self) -> str:
        """Addition to the tokenizer's fingerprint; empty if both candidates agree."""
        return " as in tokenizer.json" if self.uses_file and self.difference is not None else ""

    def facts(self) -> dict[str, str]:
        """The source of the tokens, for the manifest."""
        if self.file is None:
            return {"tokenizer_json": "none"}
        if self.difference is None:
            return {"tokenizer_json": "equal"}
        used = self.file.name if self.uses_file else self._class
        return {"tokenizer_json": f"{self._class} differs from {self.file.name}, {used} is used: {self.difference}"}

    def _compare(self, texts: Sequence[str], used: Sequence[Sequence[int]]) -> None:
        assert self._other is not None
        try:
            other = self._other(texts)
        except Exception as error:  # noqa: BLE001  A class that does not fit its file fails in many ways.
            self._report(f"it fails: {reason_of(error)}")
            return
        for text, one, two in zip(texts, map(list, used), other, strict=True):
            if one == two:
                continue
            place = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
            file, own = (one, two) if self.uses_file else (two, one)
            self._report(
                f"{_short(text)} becomes {len(file)} tokens by the file and {len(own)} by the class, from token {place}"
            )
            return

    def _report(self, difference: str) -> None:
        assert self.file is not None
        self.difference = difference
        logger.warning(
            "the tokenizer of %s: transformers' class %s yields other tokens than %s (%s): %s",
            self._where,
            self._class,
            self.file.name,
            difference,
            "the file is used"
            if self.uses_file
            else f"the class is used; check that the model was trained with its tokens ({self._why})",
        )

    _why = "`tokenizer_kwargs` were given"

    def keep_class(self, why: str) -> None:
        """Store the reason why the class is used instead of the file."""
        self._why = why


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
