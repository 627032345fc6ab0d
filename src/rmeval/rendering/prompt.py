"""Renders prompts that a language model continues: conversations with the chat template's generation prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np

from rmeval.errors import ModelError, reason_of
from rmeval.loading import LOADING_ERRORS
from rmeval.rendering.boundary import Rendered, tokenise
from rmeval.rendering.chat import Renderer
from rmeval.rendering.conventions import merged
from rmeval.rendering.visibility import Messages, Tools, Visibility
from rmeval.types import Message

__all__ = ["PromptRenderer"]

_TEMPLATE_ERRORS = (jinja2.TemplateError, *LOADING_ERRORS)
_CHUNK = 256
_COMPARED = 8
"""Number of prompts whose tokens are compared with those of the tokenizer's other candidate."""
_SYSTEM, _USER, _REPLY = "SYSTEM-7x", "USER-7x", "REPLY-7x"
"""Texts that test a template."""


class PromptRenderer:
    """Renders conversations that end in a turn of the user, with the generation prompt after it.

    Attributes:
        joins_system: Whether the template has no place for a system message, which then begins the first turn of the
            user.
    """

    def __init__(self, renderer: Renderer, name: str) -> None:
        """Test the template.

        Args:
            renderer: The tokenizer with its template.
            name: The model's name, for messages.

        Raises:
            ModelError: If the template does not begin a reply.
        """
        self._renderer = renderer
        self._visibility = Visibility(self._shown)
        self._refuse_without_generation_prompt(name)
        self.joins_system = self._hides_system()

    def _refuse_without_generation_prompt(self, name: str) -> None:
        """Raise a ModelError for a template that ignores `add_generation_prompt` although a header begins a reply."""
        user = {"role": "user", "content": _USER}
        with_prompt, without = self._text([user], True), self._text([user], False)
        whole = self._text([user, {"role": "assistant", "content": _REPLY}], False)
        if with_prompt is None or whole is None or with_prompt != without:
            return
        # Templates such as Llama 2's need none: the reply follows the end of the user's turn.
        if not whole.startswith(with_prompt) or not whole[len(with_prompt) :].lstrip().startswith(_REPLY):
            raise ModelError(
                f"the chat template of {name} has no generation prompt, so the model would not begin a reply: give a "
                "template that uses add_generation_prompt with `chat_template`"
            )

    def _hides_system(self) -> bool:
        found = self._text([{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}], True)
        alone = self._text([{"role": "user", "content": _USER}], True)
        return alone is not None and (found is None or _SYSTEM not in found)

    def _text(self, messages: list[dict[str, Any]], generation_prompt: bool) -> str | None:
        """The rendered text; None if the template rejects the conversation."""
        tokenizer: Any = self._renderer.tokenizer
        try:
            found: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generation_prompt
            )
        except MemoryError:
            raise
        except _TEMPLATE_ERRORS:
            return None
        return found

    def render(self, conversations: Sequence[Sequence[Message]]) -> list[Rendered]:
        """Token ids of conversations with the generation prompt.

        Raises:
            ModelError: If the template does not show the messages of a role.
        """
        messages = [[one.to_dict() for one in self._joined(conversation)] for conversation in conversations]
        self._renderer.note_hidden(self._visibility.count(messages, [()] * len(messages)))
        rendered = [
            one for start in range(0, len(messages), _CHUNK) for one in self._rendered(messages[start : start + _CHUNK])
        ]
        good = [number for number, one in enumerate(rendered) if one.error is None]
        if first := good[:_COMPARED]:
            self._renderer.compare_tokens(
                lambda: [self._text(messages[k], True) or "" for k in first],
                [rendered[k].tokens.tolist() for k in first],
            )
        self._renderer.note([rendered[number].tokens for number in good])
        return rendered

    def _joined(self, conversation: Sequence[Message]) -> Sequence[Message]:
        """The conversation, with its system message at the beginning of the user's turn if there is no other place."""
        if not self.joins_system or len(conversation) < 2 or conversation[0].role != "system":
            return conversation
        return merged(conversation) or conversation

    def _rendered(self, messages: list[list[dict[str, Any]]]) -> list[Rendered]:
        """Render conversations together; one by one if the template rejects one of them."""
        try:
            encoded = tokenise(self._renderer.tokenizer, messages, (), generation_prompt=True)
        except MemoryError:
            raise  # The conversation is not the cause.
        except _TEMPLATE_ERRORS as error:
            if len(messages) > 1:
                return [one for conversation in messages for one in self._rendered([conversation])]
            return [Rendered(np.empty(0, np.int32), f"the chat template rejects this prompt: {reason_of(error)}")]
        empty = "the chat template renders this prompt to nothing"
        return [Rendered(np.array(tokens, dtype=np.int32), None if tokens else empty) for tokens in encoded]

    def _shown(self, conversations: list[Messages], tools: list[Tools]) -> list[Sequence[int] | None]:
        """Token ids for tests of what the template shows; None for a conversation that it rejects."""
        rendered = (self._rendered([[dict(one) for one in messages]])[0] for messages in conversations)
        return [one.tokens.tolist() if one.error is None else None for one in rendered]
