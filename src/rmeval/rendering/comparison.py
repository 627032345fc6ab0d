"""Renders a prompt and two responses as one input."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.digests import digest
from rmeval.errors import ModelError, reason_of
from rmeval.messages import chosen_from
from rmeval.rendering.boundary import Rendered
from rmeval.rendering.chat import Renderer
from rmeval.rendering.metering import TEMPLATE_ERRORS, text_environment
from rmeval.rendering.visibility import Messages, Tools, Visibility
from rmeval.types import Request

__all__ = ["ComparisonPrompt"]

KNOWN = {name: Path(__file__).parent / "templates" / f"{name}.jinja" for name in ("letters", "rlhflow", "steamshp")}
"""Templates included in rmeval. `rlhflow` is the input of RLHFlow's pair-preference models
(`rewardbench/models/slicpairpm.py` of RewardBench), `steamshp` that of SteamSHP (its model card on the hub)."""

_EXAMPLES = ("ONE RESPONSE", "ANOTHER RESPONSE")
"""Responses that test a template."""


class ComparisonPrompt:
    """A template that renders a prompt and two responses.

    For a language model whose tokenizer has a chat template, the text becomes a user message, followed by the
    generation prompt; otherwise, and for `steamshp`, it is tokenised directly, with the tokenizer's special tokens.

    Attributes:
        chat: Whether the text becomes a message.
    """

    def __init__(self, renderer: Renderer, template: str, chat: bool) -> None:
        """Load and test the template.

        Args:
            renderer: The tokenizer.
            template: A name in `KNOWN` or a path.
            chat: Whether the network is a language model.

        Raises:
            ModelError: If the template cannot be read, or does not show both responses.
        """
        self._renderer = renderer
        self._visibility = Visibility(self._shown)
        self._known = template if template in KNOWN else None
        self.chat = chat and template != "steamshp" and bool(renderer.tokenizer.chat_template)
        if self.chat:
            renderer.refuse_broken()
        # Editors add a final newline, which is not part of the template.
        self._source = _read(template).removesuffix("\n")
        environment = text_environment(f"the comparison {template}")
        try:
            self._template = environment.from_string(self._source)
            shown = self._text(({"role": "user", "content": "PROMPT"},), *_EXAMPLES)
        except TEMPLATE_ERRORS as error:
            raise ModelError(
                f"the comparison {template} cannot be rendered with prompt, first and second ({error}): correct it"
            ) from error
        if not all(response in shown for response in _EXAMPLES):
            raise ModelError(
                f"the comparison {template} leaves a response out: it must show {{{{ first }}}} and {{{{ second }}}}"
            )

    def identity(self) -> str:
        """Digest of the template and of `chat`."""
        return digest([self._source, self.chat])

    def render(self, requests: Sequence[Request]) -> list[Rendered]:
        """Token ids of prompts with two responses each.

        Raises:
            ModelError: If the template does not show the messages of a role.
        """
        prompts = [[message.to_dict() for message in request.prompt] for request in requests]
        counts = self._visibility.count(prompts, [request.tools for request in requests])
        # Only the text of a response is shown.
        counts.update((part, one.role) for request in requests for one in request.messages for part in one.extras)
        self._renderer.note_hidden(counts)
        found = []
        for request, prompt in zip(requests, prompts, strict=True):
            try:
                found.append(self._rendered(prompt, request.responses[0], request.responses[1], request.tools))
            except TEMPLATE_ERRORS as reason:
                error = f"the template rejects this comparison: {reason_of(reason)}"
                found.append(Rendered(np.empty(0, dtype=np.int32), error))
        self._renderer.note([one.tokens for one in found if one.error is None])
        return found

    def _rendered(self, prompt: Messages, first: str, second: str, tools: Tools) -> Rendered:
        ids = self._ids(prompt, first, second, tools)
        return Rendered(
            np.array(ids, dtype=np.int32), None if ids else "the template renders this comparison to nothing"
        )

    def _ids(self, prompt: Messages, first: str, second: str, tools: Tools) -> list[int]:
        tokenizer: Any = self._renderer.tokenizer
        text = self._text(prompt, first, second, tools)
        if not self.chat:
            plain: list[int] = tokenizer(text)["input_ids"]
            return plain
        # RLHFlow's input has neither a generation prompt nor BOS.
        bare = self._known == "rlhflow"
        ids: list[int] = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=not bare, return_dict=True
        )["input_ids"]
        return [one for one in ids if one != tokenizer.bos_token_id] if bare else ids

    def _shown(self, prompts: list[Messages], tools: list[Tools]) -> list[Sequence[int] | None]:
        """Token ids of prompts with the same two responses; None for a prompt that the template rejects."""
        found: list[Sequence[int] | None] = []
        for prompt, own in zip(prompts, tools, strict=True):
            try:
                found.append(self._ids(prompt, *_EXAMPLES, own))
            except TEMPLATE_ERRORS:
                found.append(None)
        return found

    def _text(self, prompt: Messages, first: str, second: str, tools: Tools = ()) -> str:
        return self._filled(prompt, tools, first=first, second=second)

    def _filled(self, prompt: Messages, tools: Tools, **responses: str | None) -> str:
        # A template may change its variables.
        given = copy.deepcopy({"prompt": prompt, "tools": list(tools)})
        return self._template.render(**given, **responses)


def _read(template: str) -> str:
    path = KNOWN.get(template, Path(template))
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"there is no comparison {template}: {chosen_from(template, KNOWN)}, or give the path of a Jinja file"
        ) from error
