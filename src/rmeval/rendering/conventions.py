"""What a model's input needs beside its chat template: the place of system messages, and the ends of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rmeval.errors import ModelError
from rmeval.rendering.boundary import Rendered
from rmeval.types import Message

__all__ = ["Conventions", "merged"]


@dataclass(frozen=True, slots=True)
class Conventions:
    """How conversations become sequences, beside the template.

    Attributes:
        system_role: What becomes of system messages: the template shows them (`keep`), they begin the user's next
            message (`merge`), or a conversation with one is an error (`error`).
        append_eos: Whether a sequence that does not end with EOS gets one.
        strip_bos: Whether the BOS at the beginning of a sequence is left out.
        repeat_bos: Whether the BOS at the beginning of a sequence is written twice.
        system_message: Content of a system message for conversations without one; may be empty.
        last: Id of the token that a sequence gets which does not end with it.
        question: Text of a message of the user after the response, which the generation prompt follows.
    """

    system_role: str = "keep"
    append_eos: bool = False
    strip_bos: bool = False
    repeat_bos: bool = False
    system_message: str | None = None
    last: int | None = None
    question: str | None = None

    @property
    def changes_ends(self) -> bool:
        """Whether sequences can differ from what the template writes."""
        ends = self.append_eos or self.strip_bos or self.repeat_bos
        return ends or self.last is not None or self.question is not None

    def identity(self) -> dict[str, Any]:
        """The conventions that are not the default."""
        default = Conventions()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}

    def arranged(self, conversation: Sequence[Message]) -> tuple[Sequence[Message], str | None]:
        """The messages to render, and the reason why the conversation cannot be rendered, if there is one."""
        has_one = any(message.role == "system" for message in conversation)
        if has_one and self.system_role == "error":
            return conversation, "the conversation has a system message, and `system_role` error refuses it"
        if not has_one and self.system_message is not None:
            conversation = [Message("system", self.system_message), *conversation]
            has_one = True
        if not has_one or self.system_role != "merge":
            return conversation, None
        found = merged(conversation)
        if found is None:
            return conversation, "no message of the user follows a system message, so it cannot be merged into one"
        return found, None

    def asked(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages with the question after them, if there is one."""
        return messages if self.question is None else [*messages, {"role": "user", "content": self.question}]

    def check(self, tokenizer: Any, example: Rendered, source: str) -> None:
        """Check that the ends of sequences can be changed, and would be.

        Args:
            tokenizer: The tokenizer.
            example: A conversation as the template alone renders it.
            source: The tokenizer's name, for messages.

        Raises:
            ModelError: If an option has no effect, or the tokenizer does not have the token.
        """
        if self.strip_bos and self.repeat_bos:
            raise ModelError("`strip_bos` leaves the BOS out that `repeat_bos` repeats: give one of them")
        for option, given, token in (
            ("append_eos", self.append_eos, tokenizer.eos_token_id),
            ("strip_bos", self.strip_bos, tokenizer.bos_token_id),
            ("repeat_bos", self.repeat_bos, tokenizer.bos_token_id),
        ):
            if given and token is None:
                name = option[-3:].upper()
                raise ModelError(f"the tokenizer of {source} has no {name} token: leave `{option}` out")
        if example.error is not None:
            return
        if self.append_eos and example.tokens[-1:].tolist() == [tokenizer.eos_token_id]:
            raise ModelError(
                f"conversations of {source} end with EOS already, so `append_eos` has no effect: leave it out"
            )
        for option, given in (("strip_bos", self.strip_bos), ("repeat_bos", self.repeat_bos)):
            if given and example.tokens[:1].tolist() != [tokenizer.bos_token_id]:
                raise ModelError(
                    f"conversations of {source} do not begin with BOS, so `{option}` has no effect: leave it out"
                )

    def ended(self, tokenizer: Any, one: Rendered) -> Rendered:
        """A sequence with its ends as they must be, and the response's beginning moved with it."""
        if one.error is not None:
            return one
        if self.strip_bos and one.tokens[:1].tolist() == [tokenizer.bos_token_id]:
            # The first token is never part of the scored response: nothing predicts it.
            one = replace(one, tokens=one.tokens[1:], start=max(1, one.start - 1) if one.start else 0)
        if self.repeat_bos and one.tokens[:1].tolist() == [tokenizer.bos_token_id]:
            start = one.start + 1 if one.start else 0
            one = replace(one, tokens=np.concatenate([one.tokens[:1], one.tokens]), start=start)
        if self.append_eos and one.tokens[-1:].tolist() != [tokenizer.eos_token_id]:
            one = replace(one, tokens=np.append(one.tokens, np.int32(tokenizer.eos_token_id)))
        if self.last is not None and one.tokens[-1:].tolist() != [self.last]:
            one = replace(one, tokens=np.append(one.tokens, np.int32(self.last)))
        return one


def merged(conversation: Sequence[Message]) -> list[Message] | None:
    """The conversation with each system message before the text of the user's next message, after a blank line.

    Returns:
        None if there is a system message that no message of the user follows.
    """
    found: list[Message] = []
    waiting: list[str] = []
    for message in conversation:
        if message.role == "system":
            waiting.append(message.content)
        elif waiting and message.role == "user":
            found.append(replace(message, content="\n\n".join([*waiting, message.content])))
            waiting = []
        else:
            found.append(message)
    return None if waiting else found
