"""Renders a prompt and the steps of a response to token ids, with the positions where the steps are read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from rmeval.data.digests import digest
from rmeval.errors import ModelError, reason_of
from rmeval.protocols.step_layout import CHAT, StepLayout
from rmeval.rendering.boundary import Rendered
from rmeval.rendering.chat import Renderer
from rmeval.rendering.metering import TEMPLATE_ERRORS, text_environment
from rmeval.rendering.visibility import Messages, Tools, Visibility
from rmeval.types import Request

__all__ = ["StepPrompt", "split_steps"]

_PLACE = "\ue000"
"""A character for private use: it stands for the steps while the chat template renders the text around them."""
_EXAMPLE = ("ONE STEP", "ANOTHER STEP")
"""Steps that test a template."""


class _Tokens(NamedTuple):
    """Token ids, and the positions where the steps are read."""

    ids: list[int]
    steps: list[int]


def split_steps(text: str, layout: StepLayout) -> list[str]:
    """The steps of a response; none if it is empty.

    Args:
        text: The response.
        layout: How it is split.
    """
    pieces = text.split(layout.split)
    return pieces if layout.exact and text else [own for piece in pieces if (own := piece.strip())]


class StepPrompt:
    """Renders conversations as a step layout says."""

    def __init__(self, renderer: Renderer, layout: StepLayout, name: str) -> None:
        """Compile and test the templates.

        Args:
            renderer: The tokenizer.
            layout: How steps are rendered.
            name: The model's name, for messages.

        Raises:
            ModelError: If a template cannot be rendered, or leaves the prompt or a step out.
        """
        self._renderer, self._layout, self._name = renderer, layout, name
        self._visibility = Visibility(self._shown)
        environment = text_environment(f"the step layout of {name}")
        environment.globals.update({key: str(own) for key, own in renderer.tokenizer.special_tokens_map.items()})
        if layout.prompt in CHAT:
            renderer.refuse_broken()
        try:
            self._prompt = environment.from_string("" if layout.prompt in CHAT else layout.prompt)
            self._step = environment.from_string(layout.step)
            self._separator = environment.from_string(layout.separator).render()
            mark = environment.from_string(layout.mark).render() or self._separator
            self._separator_ids, mark_ids = self._plain([self._separator, mark])
            self._mark = mark_ids[-1] if mark_ids else -1
            # A token of its own has no other use, so that each one must be a separator.
            self._special = (
                len(self._separator_ids) == 1 and self._separator_ids[0] in renderer.tokenizer.added_tokens_decoder
            )
            tokens = [self._example(prompt, step) for prompt in ("PROMPT", "QUESTION") for step in _EXAMPLE]
        except TEMPLATE_ERRORS as error:
            raise ModelError(
                f"the step layout of {name} cannot be rendered with its tokenizer ({reason_of(error)}): correct it, or "
                "give the tokenizer that belongs to it"
            ) from error
        if len({tuple(one) for one in tokens}) < len(tokens):
            raise ModelError(f"the step layout of {name} leaves the prompt or a step out: show both")
        self.forget()

    def forget(self) -> None:
        """Clear the counts of responses and steps."""
        self._counts = {"responses": 0, "steps": 0, "of_one_step": 0}

    def facts(self) -> dict[str, Any]:
        """How many responses and steps were rendered since `forget`, and how many responses have one step."""
        return {"steps": dict(self._counts)} if self._counts["responses"] else {}

    def identity(self) -> str:
        """Digest of the layout."""
        return digest(self._layout.to_dict())

    def render(self, requests: Sequence[Request]) -> list[Rendered]:
        """Token ids of conversations, with the positions where the steps of their responses are read.

        Raises:
            ModelError: If the layout does not show the messages of a role.
        """
        prompts = [[message.to_dict() for message in request.prompt] for request in requests]
        counts = self._visibility.count(prompts, [request.tools for request in requests])
        # Only the text of a response is split into steps.
        counts.update((part, one.role) for request in requests for one in request.messages for part in one.extras)
        self._renderer.note_hidden(counts)
        found = [
            self._rendered(prompt, split_steps(request.responses[0], self._layout), request.tools)
            for request, prompt in zip(requests, prompts, strict=True)
        ]
        self._renderer.note([one.tokens for one in found if one.error is None])
        return found

    def _rendered(self, prompt: Messages, steps: Sequence[str], tools: Tools) -> Rendered:
        error, tokens = None, _Tokens([], [])
        try:
            if not steps:
                raise ValueError("the response is empty, so it has no steps")
            tokens = self._tokens(prompt, steps, tools)
        except TEMPLATE_ERRORS as reason:
            error = f"the steps cannot be rendered: {reason_of(reason)}"
        else:
            self._counts["responses"] += 1
            self._counts["steps"] += len(steps)
            self._counts["of_one_step"] += len(steps) == 1
        return Rendered(np.array(tokens.ids, dtype=np.int32), error, steps=tuple(tokens.steps))

    def _tokens(self, prompt: Messages, steps: Sequence[str], tools: Tools = ()) -> _Tokens:
        """Token ids and positions.

        Raises:
            ValueError: If the steps cannot be found in the tokens.
        """
        layout = self._layout
        if layout.system and layout.prompt in CHAT and all(one["role"] != "system" for one in prompt):
            prompt = [{"role": "system", "content": layout.system}, *prompt]
        asked = next((one["content"] for one in reversed(prompt) if one["role"] == "user"), "")
        written = [self._step.render(step=step, number=number, prompt=asked) for number, step in enumerate(steps, 1)]
        if layout.prompt in CHAT:
            found = self._in_chat(prompt, written, tools)
        else:
            # A template may change its variables.
            before = self._prompt.render(prompt=asked, messages=copy.deepcopy(list(prompt)))
            found = self._as_text(before, written) if layout.join == "text" else self._joined(before, written)
        places = [place + layout.offset for place in found.steps]
        if min(places) < 0 or max(places) >= len(found.ids):
            raise ValueError("a step is read outside of the tokens")
        return _Tokens(found.ids, places)

    def _in_chat(self, prompt: Messages, written: Sequence[str], tools: Tools) -> _Tokens:
        """The steps in the chat template: all of them in the assistant's turn, or each in a turn of the user."""
        place = _PLACE
        while any(place in text for text in (*written, *(str(one["content"]) for one in prompt))):
            place += _PLACE
        answer = {"role": "assistant", "content": place}
        turns = self._layout.prompt == "turns"
        steps = [one for text in written for one in ({"role": "user", "content": text}, answer)]
        talk = [*prompt[:-1], *steps] if turns else [*prompt, answer]
        text = self._renderer.tokenizer.apply_chat_template(talk, tools=list(tools) or None, tokenize=False)
        *before, after = text.split(place)
        if len(before) != (len(written) if turns else 1):
            raise ValueError("the chat template does not show each turn of the assistant once")
        return self._joined("", before if turns else [before[0] + written[0], *written[1:]], after)

    def _joined(self, before: str, pieces: Sequence[str], after: str = "") -> _Tokens:
        """Token ids of texts that are tokenised separately, with those of the separator after each piece."""
        first, *others, last = self._plain([before, *pieces, after])
        ids, places = list(first), []
        for own in others:
            ids += own
            if self._layout.read == "step":
                places.append(len(ids) - 1)
            ids += self._separator_ids
            if self._layout.read == "separator":
                places.append(len(ids) - 1)
        ids += last
        if self._special and ids.count(self._separator_ids[0]) != len(pieces):
            raise ValueError(f"the prompt or a step contains the separator {self._separator!r}")
        return _Tokens(ids, places)

    def _as_text(self, before: str, pieces: Sequence[str]) -> _Tokens:
        """Token ids of one text; its separators are found by the token at their end."""
        tokenizer: Any = self._renderer.tokenizer
        removed = self._layout.read == "step"
        text = before + self._separator * removed + "".join(piece + self._separator for piece in pieces)
        ids: list[int] = tokenizer(text)["input_ids"]
        begin = int(ids[:1] == [tokenizer.bos_token_id])
        found = [place for place in range(begin, len(ids)) if ids[place] == self._mark]
        if len(found) != len(pieces) + removed:
            raise ValueError(
                f"{len(found) - removed} tokens end a separator, and there are {len(pieces)} steps: the prompt or a "
                f"step contains {tokenizer.convert_ids_to_tokens(self._mark)!r}, or its text changes the tokens of a "
                "separator"
            )
        if not removed:
            return _Tokens(ids, found)
        gone = set(found)
        return _Tokens(
            [one for place, one in enumerate(ids) if place not in gone],
            [place - 1 - earlier for earlier, place in enumerate(found)][1:],
        )

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, without special tokens around them."""
        found: list[list[int]] = self._renderer.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return found

    def _example(self, prompt: str, step: str) -> list[int]:
        return self._tokens(({"role": "user", "content": prompt},), (step,)).ids

    def _shown(self, prompts: list[Messages], tools: list[Tools]) -> list[Sequence[int] | None]:
        """Token ids of prompts with the same steps; None for a prompt that cannot be rendered."""
        found: list[Sequence[int] | None] = []
        for prompt, own in zip(prompts, tools, strict=True):
            try:
                found.append(self._tokens(prompt, _EXAMPLE, own).ids)
            except TEMPLATE_ERRORS:
                found.append(None)
        return found
