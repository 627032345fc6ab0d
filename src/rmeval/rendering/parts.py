"""Renders a prompt and two responses as three texts with a marker each, which PairRM and Better-PairRM read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.errors import ModelError
from rmeval.rendering.boundary import Rendered, TokenArray
from rmeval.rendering.chat import Renderer
from rmeval.rendering.comparison import ComparisonPrompt
from rmeval.rendering.visibility import Messages, Tools

__all__ = ["PARTS", "PartsPrompt"]

MARKERS = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
"""Tokens at which prompt, first and second response are read."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How a published model reads the three texts.

    Attributes:
        source: Largest number of tokens of the prompt.
        candidate: Largest number of tokens of a response to a prompt of that length; a shorter prompt leaves more.
        from_end: Whether the end of a long prompt is kept, which then is a text of its own after its marker; else its
            beginning. If so, texts are also decoded from their tokens before, which normalises them.
        turns: Whether responses are numbered by turns, which requires that the roles alternate.
    """

    source: int
    candidate: int
    from_end: bool
    turns: bool


PARTS = {"pairrm": Parts(1224, 412, False, True), "better-pairrm": Parts(2030, 670, True, False)}
"""As in `tokenize_pair` of RewardBench's `rewardbench/models/pairrm.py` and `betterpairrm.py`."""


class PartsPrompt(ComparisonPrompt):
    """The texts of a prompt and of two responses, tokenised alone and cut to the lengths of the model's training."""

    def __init__(self, renderer: Renderer, name: str) -> None:
        """Load the template.

        Args:
            renderer: The tokenizer.
            name: A name in `PARTS`.

        Raises:
            ModelError: If the tokenizer lacks a marker.
        """
        self._name, self._parts = name, PARTS[name]
        super().__init__(renderer, str(Path(__file__).parent / "templates" / "parts" / f"{name}.jinja"), chat=False)
        vocabulary = renderer.tokenizer.get_vocab()
        if missing := [marker for marker in MARKERS if marker not in vocabulary]:
            raise ModelError(
                f"the comparison {name} needs the token {missing[0]}, which the tokenizer lacks: give the tokenizer of "
                "the model's training as `tokenizer`, or another `comparison`"
            )
        self._markers = [vocabulary[marker] for marker in MARKERS]

    def identity(self) -> str:
        """Digest of the template, with the name, which stands for the lengths."""
        return f"{self._name} {super().identity()}"

    def places(self, tokens: TokenArray) -> list[int]:
        """Positions of the markers of prompt and first response, then of prompt and second response."""
        source, first, second = (int(np.flatnonzero(tokens == marker)[0]) for marker in self._markers)
        return [source, first, source, second]

    def _rendered(self, prompt: Messages, first: str, second: str, tools: Tools) -> Rendered:
        roles = [message["role"] for message in prompt]
        if self._parts.turns and roles.count("assistant") != roles.count("user") - 1:
            raise ValueError("PairRM numbers responses by turns, so that messages of user and assistant must alternate")
        ids, cut = self._joined(prompt, (first, second), tools)
        for marker, text in zip(self._markers, MARKERS, strict=True):
            if ids.count(marker) > 1:
                raise ValueError(f"a text contains {text}, the token at which it is read")
        return Rendered(np.array(ids, dtype=np.int32), cut=cut)

    def _ids(self, prompt: Messages, first: str, second: str, tools: Tools) -> list[int]:
        return self._joined(prompt, (first, second), tools, limited=False)[0]

    def _joined(
        self, prompt: Messages, responses: tuple[str, str], tools: Tools, limited: bool = True
    ) -> tuple[list[int], int]:
        """The token ids of the three texts, and the number of tokens that were cut."""
        parts, at_end = self._parts, self._parts.from_end
        whole = parts.source + 2 * parts.candidate
        text, cut = self._written(self._part(prompt, None, tools), parts.source if limited else None, at_end)
        ids = self._encoded(MARKERS[0]) if at_end else []
        room = parts.source - len(ids) if limited else None
        found, more = _kept(self._encoded(text if at_end else MARKERS[0] + text), room, at_end)
        ids, cut = ids + found, cut + more
        room = (whole - len(ids)) // 2 if limited else None
        for marker, response in zip(MARKERS[1:], responses, strict=True):
            text, more = self._written(self._part(prompt, response, tools), parts.candidate if limited else None, False)
            found, most = _kept(self._encoded(marker + text), room, False)
            ids, cut = ids + found, cut + more + most
        return ids, cut

    def _written(self, text: str, limit: int | None, at_end: bool) -> tuple[str, int]:
        """A text as its tokens write it, without special tokens and cut; unchanged for models that read the text."""
        if not self._parts.from_end:
            return text, 0
        tokenizer: Any = self._renderer.tokenizer
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        cut = max(0, len(ids) - limit) if limit is not None else 0
        kept = ids[cut:] if at_end else ids[: len(ids) - cut]
        return tokenizer.decode(kept, skip_special_tokens=True), cut

    def _encoded(self, text: str) -> list[int]:
        """Token ids of a text between the tokenizer's first and last special token."""
        tokenizer: Any = self._renderer.tokenizer
        ids: list[int] = tokenizer(text)["input_ids"]
        return ids

    def _text(self, prompt: Messages, first: str, second: str, tools: Tools = ()) -> str:
        return "\n".join(self._part(prompt, response, tools) for response in (None, first, second))

    def _part(self, prompt: Messages, response: str | None, tools: Tools) -> str:
        return self._filled(prompt, tools, response=response)


def _kept(ids: list[int], limit: int | None, at_end: bool) -> tuple[list[int], int]:
    """Token ids within a limit, with the special tokens at both ends, and the number of those that were cut."""
    cut = max(0, len(ids) - limit) if limit is not None else 0
    if not cut:
        return ids, 0
    return (ids[:1] + ids[1 + cut :] if at_end else ids[: len(ids) - 1 - cut] + ids[-1:]), cut
